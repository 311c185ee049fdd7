"""Who somebody is: whoever says a name is believed, and gets a signed ticket in the cookies."""

from pyramid.authentication import AuthTktCookieHelper


class Tickets:
    """Pyramid's security policy."""

    def __init__(self, secret):
        self.helper = AuthTktCookieHelper(secret, hashalg="sha512", samesite="Lax")

    def identity(self, request):
        ticket = self.helper.identify(request)
        return ticket["userid"] if ticket else None

    def authenticated_userid(self, request):
        return self.identity(request)

    def permits(self, request, context, permission):
        return self.identity(request) is not None

    def remember(self, request, userid, **options):
        return self.helper.remember(request, userid, **options)

    def forget(self, request, **options):
        return self.helper.forget(request, **options)

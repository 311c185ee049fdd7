"""The pages."""

import tg
from tg import TGController, abort, expose, flash, predicates, redirect, request, require, response
from tg import session, url, validate
from tg.validation import Convert

from sightings.model import DBSession, Sighting

# How browsers name the pictures that are taken, and how each begins.
PICTURES = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
LARGEST = 2 * 1024 * 1024


class ErrorController(TGController):
    """What is shown instead of an answer without a page."""

    @expose("sightings.templates.error")
    def document(self, *path, **parameters):
        # TurboGears 2.5.0, the last for Python 3.9, keeps it in the environ.
        state = getattr(request, "state", {})
        original = state.get("original_response") or request.environ.get("tg.original_response")
        return {"code": original.status_int if original else 404}


class RootController(TGController):
    """All that is below the mount point."""

    error = ErrorController()

    @expose("sightings.templates.index")
    def index(self, **typed):
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        sightings = DBSession.query(Sighting).order_by(Sighting.id.desc()).limit(100).all()
        errors = getattr(request.validation, "errors", None) or {}
        return {
            "sightings": sightings,
            "errors": errors,
            "typed": dict({"place": session.get("place", ""), "number": "1"}, **typed),
            "visits": session["visits"],
        }

    @expose()
    @require(predicates.not_anonymous(msg="Sign in to add what you saw."))
    @validate(
        {
            "species": Convert(lambda text: _name(text), "Say which bird it was."),
            "place": Convert(lambda text: _name(text), "Say where it was."),
            "number": Convert(lambda text: _number(text), "How many? A number from 1 on."),
        },
        error_handler=index,
    )
    def add(self, species, place, number, picture=None):
        if request.method != "POST":
            abort(405)
        sighting = Sighting(species=species, place=place, number=number)
        sighting.user = request.identity["user"]
        if getattr(picture, "filename", None):
            sighting.picture_type, sighting.picture = _picture(picture)
        DBSession.add(sighting)
        session["place"] = place
        session.save()
        flash(f"Added: {species}.")
        redirect("/")

    @expose()
    def picture(self, number):
        sighting = DBSession.get(Sighting, int(number)) if number.isdigit() else None
        if sighting is None or sighting.picture is None:
            abort(404)
        response.content_type = sighting.picture_type
        return sighting.picture

    @expose("json")
    def list(self):
        rows = DBSession.query(Sighting).order_by(Sighting.id)
        return {
            "sightings": [
                {"species": row.species, "place": row.place, "number": row.number} for row in rows
            ]
        }

    @expose("sightings.templates.members")
    @require(predicates.not_anonymous(msg="For members only."))
    def members(self):
        mine = DBSession.query(Sighting).filter_by(user=request.identity["user"]).count()
        return {"mine": mine}

    @expose("sightings.templates.login")
    def login(self, came_from=None, failure=None, login="", **_others):
        if failure:
            flash("That name and password do not belong together.", "error")
        return {"came_from": _inside(came_from), "login": login}

    @expose()
    def signed_in(self, came_from=None, **_others):
        if not request.identity:
            redirect("/login", params={"came_from": _inside(came_from)})
        flash(f"Welcome, {request.identity['user'].name}.")
        # `came_from` carries the mount point already; redirect() would put it in front again.
        return tg.exceptions.HTTPFound(location=_inside(came_from))

    @expose()
    def signed_out(self, **_others):
        session.delete()
        flash("Good bye.")
        redirect("/")


def _name(text):
    text = (text or "").strip()
    if not 0 < len(text) <= 80:
        raise ValueError("no name")
    return text


def _number(text):
    number = int(text)
    if not 0 < number < 1_000_000:
        raise ValueError("no number of birds")
    return number


def _picture(upload):
    """The type and the bytes of an uploaded picture."""
    content = upload.file.read(LARGEST + 1)
    if len(content) > LARGEST:
        abort(413)
    for kind, beginning in PICTURES.items():
        if content.startswith(beginning):
            return kind, content
    abort(415)


def _inside(place):
    """An address on this site: nobody is sent elsewhere after signing in."""
    if place and place.startswith("/") and not place.startswith(("//", "/\\")):
        return place
    return url("/")

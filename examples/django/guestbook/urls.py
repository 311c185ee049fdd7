"""The addresses."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import path

from guestbook import views

urlpatterns = [
    path("", views.index, name="index"),
    path("sign/", views.sign, name="sign"),
    path("picture/<int:number>/", views.picture, name="picture"),
    path("login/", auth.LoginView.as_view(template_name="guestbook/login.html"), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]

"""A Flask application with a session, forms, uploads, streaming and errors."""
from flask import (Flask, Response, abort, flash, get_flashed_messages, jsonify, make_response, redirect, request,
                   session, url_for)

application = Flask("compat_flask")
application.secret_key = "only for the test"


@application.route("/")
def index():
    return "flask at %s" % url_for("index")


@application.route("/login", methods=["POST"])
def login():
    session["user"] = request.form["user"]
    flash("welcome")
    response = make_response(redirect(url_for("profile")))
    response.set_cookie("theme", "dark")
    response.set_cookie("language", "en", httponly=True)
    return response


@application.route("/profile")
def profile():
    if "user" not in session:
        abort(403)
    return "%s: %s" % (session["user"], ",".join(get_flashed_messages()))


@application.route("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    return jsonify(name=file.filename, size=len(file.read()), note=request.form["note"])


@application.route("/stream")
def stream():
    return Response(("line %d\n" % number for number in range(3)), mimetype="text/plain")


@application.route("/fail")
def fail():
    raise RuntimeError("compat: flask failed")

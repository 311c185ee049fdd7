"""Fingerprints: who has signed in may have the SHA-256 of a file."""

import hashlib
import os

from flask import Flask, flash, make_response, redirect, render_template, request, session, url_for

app = Flask(__name__)
# Every process, and every machine, has to know the same secret.
app.secret_key = os.environ.get("SECRET_KEY", "known-to-everybody")
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024


@app.get("/")
def index():
    return render_template("index.html", last=request.cookies.get("last", ""))


@app.post("/sign-in")
def sign_in():
    name = request.form.get("name", "").strip()
    if not name:
        flash("Say who you are.")
        return redirect(url_for("index"))
    session["name"] = name
    answer = make_response(redirect(url_for("index")))
    # A second cookie, which stays after signing out.
    answer.set_cookie("last", name, max_age=30 * 24 * 3600, samesite="Lax")
    return answer


@app.post("/sign-out")
def sign_out():
    session.clear()
    return redirect(url_for("index"))


@app.post("/fingerprint")
def fingerprint():
    if "name" not in session:
        return render_template("index.html", last=""), 403
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        flash("Choose a file.")
        return redirect(url_for("index"))
    digest, size = hashlib.sha256(), 0
    while piece := upload.stream.read(65536):
        digest.update(piece)
        size += len(piece)
    return render_template(
        "fingerprint.html", name=upload.filename, size=size, digest=digest.hexdigest()
    )


@app.get("/count")
def count():
    """An answer that is made piece by piece."""
    return (f"{number}\n" for number in range(1, 1001)), {"Content-Type": "text/plain"}

"""The tables: users, and what they saw."""

import hashlib
import hmac
import os
from datetime import datetime, timezone

import zope.sqlalchemy
from sqlalchemy import Column, DateTime, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import declarative_base, deferred, relationship, scoped_session, sessionmaker

# The session joins the transaction of the request: TurboGears commits it, or rolls it back on an error.
DBSession = scoped_session(sessionmaker())
zope.sqlalchemy.register(DBSession)

Base = declarative_base()
metadata = Base.metadata


def init_model(engine):
    """Called by TurboGears, with the database of the ini file."""
    DBSession.configure(bind=engine)
    return DBSession


class User(Base):
    """Somebody who may sign in."""

    __tablename__ = "users"

    id = Column(Integer, primary_key=True)
    name = Column(String(80), unique=True, nullable=False)
    salt = Column(LargeBinary, nullable=False)
    password = Column(LargeBinary, nullable=False)

    def __init__(self, name, password):
        self.name = name
        self.salt = os.urandom(16)
        self.password = _derived(password, self.salt)

    def knows(self, password):
        """Whether that is the user's password."""
        return hmac.compare_digest(self.password, _derived(password, self.salt))


class Sighting(Base):
    """A bird, where it was seen and by whom; perhaps with a picture."""

    __tablename__ = "sightings"

    id = Column(Integer, primary_key=True)
    species = Column(String(80), nullable=False)
    place = Column(String(80), nullable=False)
    number = Column(Integer, nullable=False)
    seen = Column(DateTime, nullable=False, default=lambda: datetime.now(timezone.utc))
    user_id = Column(ForeignKey("users.id"), nullable=False)
    picture_type = Column(String(40))
    picture = deferred(Column(LargeBinary))

    user = relationship(User)


def user_called(name):
    """The user of that name, or None."""
    return DBSession.query(User).filter_by(name=name).first()


def _derived(password, salt):
    return hashlib.scrypt(password.encode("utf-8"), salt=salt, n=2**13, r=8, p=1)

"""A Flask program whose requests say in a header who they are."""

import meeting
from flask import Flask

from spotzee_logging.contrib.flask import bind_contacts

app = Flask(__name__)
bind_contacts(app, lambda request: {"external_id": request.headers["Customer"]})


@app.get("/ready")
def ready():
    return "ok"


@app.get("/alone/<number>")
def alone(number):
    meeting.log(number)
    return "ok"


@app.get("/together/<number>")
def together(number):
    meeting.meet()
    meeting.log(number)
    return "ok"


@app.get("/stranger/<number>")
def stranger(number):
    meeting.log_stranger(number)
    return "ok"

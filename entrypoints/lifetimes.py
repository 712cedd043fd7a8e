"""How long the container keeps a thing."""

from dishka import BaseScope, new_scope


class Lifetime(BaseScope):
    """As long as the process runs, or for one request or command.

    Dishka's own scopes have another between the two, through which each request would look for all that lives longer.
    """

    RUNTIME = new_scope("RUNTIME", skip=True)
    APP = new_scope("APP")
    REQUEST = new_scope("REQUEST")

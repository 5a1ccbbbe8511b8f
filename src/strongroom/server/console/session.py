"""Logging in and out of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import login, logout
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from strongroom import clock
from strongroom.errors import Refused
from strongroom.server.console.failures import shown_error
from strongroom.server.console.page import GET, address, page
from strongroom.server.users.login import log_in

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@page(*GET, "POST", public=True)
def log_in_page(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, and begin a session."""
    if request.method != "POST" and request.user.is_authenticated:
        return _go_on(request.GET.get("next", ""))
    if request.method != "POST":
        return render(request, "login.html", {"next": request.GET.get("next", "")})
    name, following = request.POST.get("name", ""), request.POST.get("next", "")
    try:
        user = log_in(name=name, password=request.POST.get("password", ""), address=address(request), now=clock.now())
    except Refused as error:
        shown = {**shown_error(error), "name": name, "next": following}
        return render(request, "login.html", shown, status=error.http_status)
    login(request, user)
    return _go_on(following)


@page("POST", public=True)
def log_out_page(request: HttpRequest) -> HttpResponse:
    """End the session, if there still is one."""
    logout(request)
    return redirect("/login")


def _go_on(following: str) -> HttpResponse:
    """Send to the page that was asked for at first; never to another site."""
    is_ours = url_has_allowed_host_and_scheme(following, allowed_hosts=None, require_https=True)
    return redirect(following if is_ours else "/")

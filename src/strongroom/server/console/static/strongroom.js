// Says when the moving parts of a page stand still because the server does not answer. All else is htmx's work.
"use strict";

function tell(isStale) {
  const note = document.getElementById("stale");
  if (note.hidden === isStale) note.hidden = !isStale;
}

document.addEventListener("htmx:afterOnLoad", (event) => tell(event.detail.xhr.status >= 500));
for (const trouble of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(trouble, () => tell(true));

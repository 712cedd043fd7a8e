"use strict";
(() => {
  const message = document.getElementById("message");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  // The secret leaves the address bar, and with it the history, before anything else happens.
  history.replaceState(null, "", location.pathname);
  // Another link, opened where this page is open, changes nothing but the fragment.
  addEventListener("hashchange", () => location.reload());

  function say(text, bad) {
    message.textContent = text;
    message.classList.toggle("bad", bad);
    message.hidden = false;
    message.focus();
  }

  function mark(field, text) {
    const problem = document.getElementById(field.id + "-problem");
    problem.textContent = text;
    if (text) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-errormessage", problem.id);
      field.focus();
    } else {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-errormessage");
    }
  }

  function explain(form, problem, retryAfter) {
    for (const error of problem.errors || []) {
      const field = form.elements.namedItem(error.pointer.slice(1));
      if (field) {
        message.hidden = true;
        mark(field, "It " + error.detail + ".");
        return;
      }
    }
    if (problem.code === "wrong_password") {
      message.hidden = true;
      mark(form.elements.namedItem("password"), problem.detail);
    } else if (problem.code === "invalid_or_expired_token") {
      form.hidden = true;
      say("This link was used before, has expired, or was replaced by a later one. Ask for a new link.", true);
      document.querySelectorAll("[data-needs='no token']").forEach((part) => { part.hidden = false; });
    } else if (problem.code === "too_many_requests") {
      say("There were too many tries. Wait " + retryAfter + " seconds, then try again.", true);
    } else {
      say(problem.detail || "Something went wrong. Try again in a moment.", true);
    }
  }

  async function send(form) {
    const body = form.dataset.needs === "token" ? { token } : {};
    for (const field of form.querySelectorAll("input[name]")) {
      mark(field, "");
      body[field.name] = field.value;
    }
    let answer;
    try {
      answer = await fetch("../" + form.dataset.post, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      });
    } catch {
      say("The server can't be reached. Look at your connection, then try again.", true);
      return;
    }
    if (answer.ok) {
      form.hidden = true;
      say(form.dataset.done, false);
      return;
    }
    explain(form, await answer.json().catch(() => ({})), answer.headers.get("Retry-After"));
  }

  for (const part of document.querySelectorAll("[data-needs]")) {
    part.hidden = (part.dataset.needs === "token") !== Boolean(token);
  }
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      await send(form);
      button.disabled = false;
    });
  }
  for (const box of document.querySelectorAll("input[data-shows]")) {
    box.addEventListener("change", () => {
      document.getElementById(box.dataset.shows).type = box.checked ? "text" : "password";
    });
  }
})();

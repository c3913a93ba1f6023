// The token of changes: whether the page has it, and a form to enter it.

import { h, put } from "./dom.js";
import { hasToken, setToken } from "./server.js";

/** Show in an element whether changes are possible, and ask for the token if not. */
export function showAccess(element, what, changed) {
  changed(hasToken());
  if (hasToken()) { put(element); return; }
  const input = h("input", { type: "password", autocomplete: "off", "aria-label": "Token" });
  const submit = (event) => {
    event.preventDefault();
    setToken(input.value.trim());
    showAccess(element, what, changed);
  };
  put(element, h("p", { class: "quiet" }, `Read only. To ${what} here, open the link that the command printed at its start, or enter its token.`),
    h("form", { class: "actions", onsubmit: submit }, input, h("button", { type: "submit" }, "Use token")));
}

/** Forget a token that the server refused; return whether it did. */
export function forgetRefused(error) {
  if (!/console's token/.test(error.message)) return false;
  setToken("");
  return true;
}

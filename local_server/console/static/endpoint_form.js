// A request to an endpoint of the offline clouds, by the API that the SDKs call.

import { answerView } from "./answer.js";
import { h, put } from "./dom.js";
import { millis, printable } from "./format.js";
import { parse } from "./json.js";
import { send } from "./server.js";

const ANY = { outputs: [] };

/** Return the form of an endpoint; `path` is that of its predictions. */
export function endpointForm(path) {
  const body = h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Body as JSON" });
  body.value = '{"instances": [1.0]}';
  const result = h("div", { class: "result", "aria-live": "polite" });
  const button = h("button", { type: "submit", class: "primary" }, "Send");
  const run = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await send(path, body.value);
      try { answer.document = parse(answer.text); } catch { answer.document = null; }
      const { Message, message, error } = answer.document ?? {};
      const words = Message ?? message ?? error?.message;
      if (words !== undefined) answer.document.error = words;
      put(result, h("p", { class: answer.status === 200 ? "timing" : "timing bad" }, h("strong", {}, answer.status),
        ` in ${millis(answer.millis)}`, answer.from && ` from ${printable(answer.from)}`), answerView(answer, ANY));
    } catch (error) {
      put(result, h("p", { class: "problem" }, printable(error.message)));
    } finally {
      button.disabled = false;
    }
  };
  return h("details", { class: "spaced" }, h("summary", {}, "Send a request"),
    h("form", { onsubmit: run }, h("p", { class: "quiet fine" }, h("code", {}, `POST ${path}`)), body,
      h("div", { class: "actions" }, button)), result);
}

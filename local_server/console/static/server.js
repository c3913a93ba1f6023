// Requests to this server: snapshots, the stream of events, predictions, and changes with a token.

const API = "/_cloudserve/console/api/";
const RETRY_MILLIS = 1500;
const SILENCE_MILLIS = 8000;

let bearer = sessionStorage.getItem("bearer") ?? "";
let token = takeToken();

/** Take the token of the link that the server printed, and remove it from the address. */
function takeToken() {
  const match = /^#token=([\w-]+)/.exec(location.hash);
  if (match) {
    sessionStorage.setItem("token", match[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

export function hasToken() { return token !== ""; }

export function setToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

export function setBearer(text) {
  bearer = text;
  sessionStorage.setItem("bearer", text);
}

function headers(more = {}) {
  return bearer ? { Authorization: `Bearer ${bearer}`, ...more } : more;
}

/** Return the record at a path of the console; raises an Error with the server's text. */
export async function record(...words) {
  return read(await fetch(API + words.map(encodeURIComponent).join("/"), { headers: headers() }));
}

/** Perform a change; needs the token. */
export async function change(method, path, body) {
  const options = { method, headers: headers({ "X-Cloudserve-Token": token, "Content-Type": "application/json" }) };
  if (body !== undefined) options.body = body;
  return read(await fetch(API + path, options));
}

async function read(response) {
  const text = await response.text();
  let document = {};
  try { document = JSON.parse(text); } catch { /* the status says enough */ }
  if (!response.ok) {
    const problem = document.error?.message ?? document.error ?? `${response.status} ${response.statusText}`;
    throw new Error(problem);
  }
  return document;
}

/** Send a body, with more headers if need be, to a path; return status, text, milliseconds, the variant, and the server's own timings. */
export async function send(path, body, more = {}) {
  const began = performance.now();
  const response = await fetch(path, { method: "POST", body, headers: headers({ "Content-Type": "application/json", "X-Cloudserve-Timing": "1", ...more }) });
  const text = await response.text();
  const millis = performance.now() - began;
  const from = response.headers.get("X-Amzn-Invoked-Production-Variant") ?? "";
  return { status: response.status, text, millis, from, timings: timingsOf(response.headers.get("Server-Timing")) };
}

function timingsOf(header) {
  return (header ?? "").split(",").map((part) => /^\s*([\w-]+);(?:dur=([\d.]+)|desc="([^"]*)")/.exec(part))
    .filter((match) => match !== null).map((match) => [match[1], match[3] ?? Number(match[2])]);
}

export async function fetchJson(path) {
  return read(await fetch(path, { headers: headers() }));
}

/**
 * Follow the server for ever: `handle` gets each part, `state` one of live, lost, locked and full.
 * Not an EventSource, which cannot send a bearer token.
 */
export async function follow(handle, state) {
  for (;;) {
    const silence = new AbortController();
    try {
      const response = await fetch(`${API}events`, { headers: headers(), signal: silence.signal });
      if (response.ok) await drain(response.body.getReader(), handle, state, silence);
      state(response.ok ? "lost" : response.status === 401 ? "locked" : response.status === 503 ? "full" : "lost");
    } catch {
      state("lost");
    }
    await new Promise((wake) => { setTimeout(wake, RETRY_MILLIS); });
  }
}

async function drain(reader, handle, state, silence) {
  const decoder = new TextDecoder();
  let pending = "";
  let timer = 0;
  for (;;) {
    timer = setTimeout(() => silence.abort(), SILENCE_MILLIS);
    const { done, value } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    state("live");
    pending += decoder.decode(value, { stream: true });
    const blocks = pending.split("\n\n");
    pending = blocks.pop();
    for (const block of blocks) dispatch(block, handle);
  }
}

function dispatch(block, handle) {
  const match = /^event: (\w+)\ndata: (.*)$/s.exec(block);
  if (match) handle(match[1], JSON.parse(match[2]));
}

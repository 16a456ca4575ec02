// Requests to the server that the page came from. What becomes of each is told as live's "answer":
// the status, 0 where there was none (connection.js listens).

import { emit } from "./live.js";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Nothing was answered at all: the server is gone, or the network.
export class Offline extends Error {
  constructor() {
    super("the server does not answer");
  }
}

export function get(path, parameters, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters || {})) {
    for (const each of [value].flat()) {
      if (each !== null && each !== undefined && each !== "") {
        query.append(name, each);
      }
    }
  }
  const text = query.toString();
  return asked(path + (text ? "?" + text : ""), { signal });
}

export function send(method, path, body, headers) {
  return asked(path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body === undefined ? {} : body),
  });
}

export function jobPath(id, rest) {
  return "/api/jobs/" + encodeURIComponent(id) + (rest ? "/" + rest : "");
}

async function asked(path, options) {
  let answer;
  let text;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
    // The server may be gone before all of it has come.
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    emit("answer", 0);
    throw new Offline();
  }
  emit("answer", answer.status);
  const document = parsed(text);
  if (!answer.ok || document === null) {
    throw new ApiError(answer.status, (document && document.error) || "the server answered " + answer.status);
  }
  return document;
}

// null where it is not JSON: something between here and the server has answered.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return null;
  }
}

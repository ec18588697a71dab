// Calls of our own API; what it refuses becomes a Problem that says so in the page's language.
import { known, language, t } from "./text.mjs";

export class Problem extends Error {
  constructor(status, details) {
    super(explain(details));
    this.status = status;
    this.details = details ?? {};
  }

  get kind() {
    return kindOf(this.details);
  }
}

export function explain(details) {
  const kind = kindOf(details);
  if (kind === "content-filtered") return filtered(details.categories);
  // The server's own sentences are English, and say more; in other languages every kind has a text.
  if (language === "en" && (details?.detail || details?.title)) return details.detail || details.title;
  if (known("problem." + kind)) return t("problem." + kind, { seconds: details.retry_after ?? "?" });
  return t("problem.internal");
}

// What is said of whatever went wrong: of a problem its words, else that there is no connection.
export const wordsOf = (error) => (error instanceof Problem ? error.message : t("common.offline"));

export function filtered(categories = []) {
  return categories.length ? t("filtered.rules", { rules: rulesOf(categories) }) : t("filtered.some");
}

export function rulesOf(categories) {
  return categories.map((one) => (known("filter." + one) ? t("filter." + one) : one)).join(", ");
}

function kindOf(details) {
  return String(details?.type ?? "").split(":").pop();
}

// JSON goes and comes; anything else goes as it is, with its own type.
export async function call(path, { method = "GET", json, body, etag, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  if (etag) sent["If-Match"] = `"${etag}"`;
  const response = await fetch(path, { method, body: json === undefined ? body : JSON.stringify(json), headers: sent, signal });
  if (response.ok) return response;
  if (response.status === 401) location.assign(`/sign-in?return_to=${encodeURIComponent(location.pathname)}`);
  const details = await response.json().catch(() => null);
  if (kindOf(details) === "notice-not-accepted") location.assign("/notice");
  throw new Problem(response.status, details);
}

export async function read(path, options) {
  return (await call(path, options)).json();
}

// A part of the product that this installation does not have answers 404: null, and it is not shown.
export async function readIfThere(path) {
  try {
    return await read(path);
  } catch (error) {
    if (error instanceof Problem && error.status !== 404) console.warn(error.message);
    return null;
  }
}

export function path(...parts) {
  return `/api/${parts.map(encodeURIComponent).join("/")}`;
}

// The desk: a verification that is under way says how far it has come, and shows its end.
import "./acts.mjs";
import "./shell.mjs";
import { t } from "./text.mjs";

const SECONDS = 2;

async function follow(place) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    // A connection that broke comes back.
    const answer = await fetch("/api/admin/audit/verification").catch(() => null);
    if (!answer) continue;
    if (!answer.ok) return;
    const { verification } = await answer.json();
    if (!verification || verification.outcome !== "running") {
      location.reload();
      return;
    }
    if (verification.here) {
      place.textContent = t("desk.verification.progress", { records: verification.records });
    }
  }
}

const place = document.querySelector("#verification[data-running]");
if (place) follow(place);

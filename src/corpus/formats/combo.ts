import { commonDefaults, type Format } from "./format.ts";
import { cutAtLineEnd } from "./line-format.ts";
import { type LoginPlan, loginReader } from "./login-lines.ts";
import { forcedLoginPlan, loginPlanOf } from "./login-plan.ts";

/** Combo lists: an address and a secret in any order, with any separator (docs/corpus-formats.md 2). */
export const combo: Format<LoginPlan> = {
  name: "combo",
  confidence: 0.5,
  origin: "combo",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "credential_leak", subject: "any-credential" }),
  recognises: (sample) => loginPlanOf(sample, "combo"),
  plan: (sample) => forcedLoginPlan(sample, "combo"),
  cut: cutAtLineEnd,
  open: loginReader,
};

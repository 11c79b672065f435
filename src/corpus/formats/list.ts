import { commonDefaults, type Format } from "./format.ts";
import { cutAtLineEnd } from "./line-format.ts";
import { type LoginPlan, loginReader } from "./login-lines.ts";
import { forcedLoginPlan, loginPlanOf } from "./login-plan.ts";

/** Bare addresses, one or more per line, such as spam lists. */
export const list: Format<LoginPlan> = {
  name: "list",
  confidence: 0.75,
  origin: "list",
  defaultsFor: (corpus) => ({ ...commonDefaults(corpus), category: "spam_list", severity: "low" }),
  recognises: (sample) => loginPlanOf(sample, "list"),
  plan: (sample) => forcedLoginPlan(sample, "list"),
  cut: cutAtLineEnd,
  open: loginReader,
};

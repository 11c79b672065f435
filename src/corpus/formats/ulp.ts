import type { Format } from "./format.ts";
import { infostealerDefaults } from "./infostealer.ts";
import { cutAtLineEnd } from "./line-format.ts";
import { type LoginPlan, loginReader } from "./login-lines.ts";
import { forcedLoginPlan, loginPlanOf } from "./login-plan.ts";

/** Lines with a URL, a login and its secret in any order (docs/corpus-formats.md 5). */
export const ulp: Format<LoginPlan> = {
  name: "ulp",
  confidence: 0.7,
  origin: "ulp",
  defaultsFor: infostealerDefaults,
  recognises: (sample) => loginPlanOf(sample, "ulp"),
  plan: (sample) => forcedLoginPlan(sample, "ulp"),
  cut: cutAtLineEnd,
  open: loginReader,
};

import {
  answerSha256Steps,
  chooseSteps,
  type Projection,
  projectSteps,
  type Sighting,
} from "../../src/domain/envelope.ts";
import type { Indicator } from "../../src/domain/indicator.ts";
import type { Answer, ScanId } from "../../src/domain/scan.ts";
import { atOnce } from "../../src/domain/steps.ts";

/** The envelope of these answers, all steps at once. */
export function project(
  scanId: ScanId,
  indicator: Indicator,
  answers: readonly Answer[],
  sightings: ReadonlyMap<string, Sighting>,
): Projection {
  const { shown } = atOnce(chooseSteps(answers, 2000));
  return atOnce(projectSteps(scanId, indicator, shown, sightings));
}

export function answerSha256(findings: Answer["findings"]): string {
  return atOnce(answerSha256Steps(findings));
}

import { expect, expectTypeOf, test } from "vitest";
import { type KeyStatus, keyStatuses } from "../../src/domain/api-key.ts";
import type { AuditAction } from "../../src/domain/audit.ts";
import {
  errorCodes,
  type ErrorCode as KnownErrorCode,
  type SourceErrorReason as KnownReason,
  sourceErrorReasons,
} from "../../src/domain/error.ts";
import { type Severity as KnownSeverity, severities } from "../../src/domain/finding.ts";
import { type KeyScope, keyScopes } from "../../src/domain/key-scope.ts";
import { type OperatorRole, operatorRoles } from "../../src/domain/operator.ts";
import {
  isFinished,
  type Outcome as KnownOutcome,
  type ScanState as KnownState,
  outcomes,
} from "../../src/domain/scan.ts";
import { type Plan, plans } from "../../src/domain/workspace.ts";
import type { auditAction } from "../../src/wire/audit.ts";
import { errorCode } from "../../src/wire/error.ts";
import { severity } from "../../src/wire/finding.ts";
import { keyScope, keyStatus } from "../../src/wire/key.ts";
import { operatorRole } from "../../src/wire/operator.ts";
import { progress, scanState } from "../../src/wire/scan.ts";
import type { Shape } from "../../src/wire/shape.ts";
import { outcome, outcomeCounts, sourceErrorReason } from "../../src/wire/source.ts";
import { plan } from "../../src/wire/workspace.ts";

// The wire repeats the enumerations of the domain, so that the page can use its types without the code of the server.
// The compiler finds a word that only one side has.

test("the enumerations of the wire equal those of the domain, in the same order", () => {
  expectTypeOf<Shape<typeof errorCode>>().toEqualTypeOf<KnownErrorCode>();
  expectTypeOf<Shape<typeof sourceErrorReason>>().toEqualTypeOf<KnownReason>();
  expectTypeOf<Shape<typeof severity>>().toEqualTypeOf<KnownSeverity>();
  expectTypeOf<Shape<typeof outcome>>().toEqualTypeOf<KnownOutcome>();
  expectTypeOf<Shape<typeof keyStatus>>().toEqualTypeOf<KeyStatus>();
  expectTypeOf<Shape<typeof keyScope>>().toEqualTypeOf<KeyScope>();
  expectTypeOf<Shape<typeof operatorRole>>().toEqualTypeOf<OperatorRole>();
  expectTypeOf<Shape<typeof plan>>().toEqualTypeOf<Plan>();
  expectTypeOf<Shape<typeof scanState>>().toEqualTypeOf<KnownState>();
  expectTypeOf<Shape<typeof auditAction>>().toEqualTypeOf<AuditAction>();
  expect(errorCode.options).toEqual(errorCodes);
  expect(sourceErrorReason.options).toEqual(sourceErrorReasons);
  expect(severity.options).toEqual(severities);
  expect(outcome.options).toEqual(outcomes);
  expect(keyStatus.options).toEqual(keyStatuses);
  expect(keyScope.options).toEqual(keyScopes);
  expect(operatorRole.options).toEqual(operatorRoles);
  expect(plan.options).toEqual(plans);
});

test("6.2 a scan without an envelope can be in every state except completed", () => {
  expect([...progress.shape.status.options, "completed"].sort()).toEqual([...scanState.options].sort());
  expect(scanState.options.filter(isFinished)).toEqual(["completed", "failed"]);
});

test("runs are counted by every outcome", () => {
  expect(Object.keys(outcomeCounts.shape)).toEqual(outcomes);
});

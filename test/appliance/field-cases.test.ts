import { describe, expect, test } from "vitest";
import { Appliance } from "../helpers/appliance.ts";
import { faultsOf, fieldCases } from "../helpers/field-case.ts";

describe("realistic files are imported or refused as expected", () => {
  test.concurrent.each(fieldCases)("$folder", async (one) => {
    await using appliance = new Appliance();
    expect(await faultsOf(one, appliance)).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { Appliance } from "../helpers/appliance.ts";
import { faultsOf, fieldCases } from "../helpers/field-case.ts";

describe("files of forms that people have on their disks are imported or refused as they should be", () => {
  test.concurrent.each(fieldCases)("$folder", async (one) => {
    await using appliance = new Appliance();
    expect(await faultsOf(one, appliance)).toEqual([]);
  });
});

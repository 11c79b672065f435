import { expect, test } from "vitest";
import { describeConnector } from "./connector-suite.ts";
import { lookUpBy, missingPython } from "./run-driver.ts";

const missing = missingPython();

describeConnector({ name: "python", missing, lookUp: lookUpBy("python.py") });

import { describeConnector } from "./connector-suite.ts";
import { lookUpBy, missingPython } from "./run-driver.ts";

describeConnector({ name: "misp", missing: missingPython(), lookUp: lookUpBy("misp.py") });

import * as z from "zod/mini";
import { text } from "./scalar.ts";
import type { Shape } from "./shape.ts";

/** The report of `connectors list`, sorted by name. */
export const connectorList = z.array(
  z.strictObject({
    name: text,
    platform: text,
    kind: z.enum(["built-in", "files"]).check(z.describe("built-in: the platform starts the executable")),
    files: z.array(text),
  }),
);
export type ConnectorList = Shape<typeof connectorList>;

/** The report of `connectors export`. */
export const exportedConnector = z.strictObject({ name: text, dir: text, files: z.array(text) });
export type ExportedConnector = Shape<typeof exportedConnector>;

import * as z from "zod/mini";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The JSON Schemas of named bodies (draft 2020-12, the version of OpenAPI 3.1). A body that contains another named body
 * refers to `placeOf` of its name.
 */
export function jsonSchemas(
  named: Readonly<Record<string, z.ZodMiniType>>,
  placeOf: (name: string) => string,
): Readonly<Record<string, JsonSchema>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: placeOf, io: "input" });
  return Object.fromEntries(Object.keys(named).map((id) => [id, published(schemas[id] ?? {})]));
}

/** Simplifies a schema for readers: drops the bounds of safe integers, and patterns where a format is named. */
function published(schema: JsonSchema): JsonSchema {
  const [value, none] = schema.anyOf ?? [];
  if (none?.type === "null" && typeof value?.type === "string" && value.enum === undefined) {
    const { anyOf, ...rest } = schema;
    // The notation of OpenAPI 3.1 for a nullable value.
    return published({ ...value, ...rest, type: [value.type, "null"] } as JsonSchema);
  }
  const kept = Object.entries(schema).filter(([keyword, content]) => !isLeftOut(keyword, content, schema));
  return Object.fromEntries(kept.map(([keyword, content]) => [keyword, publishedWithin(keyword, content)]));
}

function isLeftOut(keyword: string, content: unknown, { format }: JsonSchema): boolean {
  switch (keyword) {
    case "$schema":
    case "$id":
      return true;
    // Dropped, because clients must accept members that later versions add.
    case "additionalProperties":
      return content === false || isEmpty(content);
    case "properties":
      return isEmpty(content);
    case "pattern":
      return format !== undefined;
    case "minimum":
      return content === Number.MIN_SAFE_INTEGER;
    case "maximum":
      return content === Number.MAX_SAFE_INTEGER;
    default:
      return false;
  }
}

function isEmpty(content: unknown): boolean {
  return typeof content === "object" && content !== null && Object.keys(content).length === 0;
}

function publishedWithin(keyword: string, content: unknown): unknown {
  switch (keyword) {
    case "properties": {
      const members = Object.entries(content as Readonly<Record<string, JsonSchema>>);
      return Object.fromEntries(members.map(([name, schema]) => [name, published(schema)]));
    }
    case "anyOf":
      return (content as readonly JsonSchema[]).map(published);
    case "items":
    case "additionalProperties":
      return published(content as JsonSchema);
    default:
      return content;
  }
}

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

type Json = Readonly<Record<string, unknown>>;

const root = fileURLToPath(new URL("../fixtures/schemas", import.meta.url));

function read(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${root}/${path}`, "utf8"));
}

/** Folder of the schema of each type of STIX object that is exported. */
const stixFolders: Readonly<Record<string, string>> = {
  "marking-definition": "common",
  identity: "sdos",
  note: "sdos",
  "observed-data": "sdos",
  "email-addr": "observables",
};

const stix = new Ajv2020({ strict: false, allErrors: true, unicodeRegExp: false });
addFormats(stix);
// For domain names and host addresses, which no export contains.
stix.addFormat("idn-hostname", true);
for (const folder of ["common", "sdos", "observables"]) {
  for (const file of readdirSync(`${root}/stix2.1/${folder}`)) stix.addSchema(read(`stix2.1/${folder}/${file}`));
}

/** The errors of a STIX object against the schema of OASIS for its type; null for a valid object. */
export function stixFault(object: Json): string | null {
  const type = String(object["type"]);
  const folder = stixFolders[type];
  if (folder === undefined) return `${type} is no type that xpose exports`;
  const { $id } = read(`stix2.1/${folder}/${type}.json`);
  stix.validate(String($id), object);
  return stix.errors == null ? null : `${type}: ${stix.errorsText()}`;
}

const misp = (() => {
  const {
    $schema: _draft,
    id: _id,
    ...schema
  } = read("misp/schema.json") as { defs: MispDefs; $schema: string; id: string };
  // The published schema is older than these two members of an attribute, and holds a property that is no schema.
  const { attribute, sharing_group: group } = schema.defs;
  Object.assign(attribute.properties, { first_seen: { type: "string" }, last_seen: { type: "string" } });
  delete group.properties["required"];
  return new Ajv({ strict: false, allErrors: true }).compile(schema);
})();

type MispDefs = Readonly<Record<"attribute" | "sharing_group", { properties: Record<string, unknown> }>>;

/** The errors of an event against the schema of PyMISP; null for a valid event. */
export function mispFault(event: Json): string | null {
  return misp(event) ? null : JSON.stringify(misp.errors);
}

type OcsfAttribute = {
  readonly type?: string;
  readonly is_array?: boolean;
  readonly requirement?: string;
  readonly enum?: Json;
};
type OcsfClass = { readonly attributes: Readonly<Record<string, OcsfAttribute>> };

const dictionary = read("ocsf/dictionary.json") as unknown as OcsfClass & {
  readonly types: {
    readonly attributes: Readonly<Record<string, { readonly type?: string; readonly regex?: string }>>;
  };
};
const ocsfObjects: Readonly<Record<string, OcsfClass>> = Object.fromEntries(
  ["osint", "metadata", "product"].map((name) => [name, read(`ocsf/objects/${name}.json`) as unknown as OcsfClass]),
);
/** An event has the attributes of its class and of what that extends; the narrower one wins, enums are joined. */
const osintInventoryInfo = ["base_event", "discovery", "osint_inventory_info"]
  .map((name) => read(`ocsf/events/${name}.json`) as unknown as OcsfClass)
  .reduce<OcsfClass>(
    (wide, narrow) => ({
      attributes: Object.fromEntries(
        [...new Set([...Object.keys(wide.attributes), ...Object.keys(narrow.attributes)])].map((key) => {
          const [one, other] = [wide.attributes[key], narrow.attributes[key]];
          const joined = { ...one?.enum, ...other?.enum };
          return [key, { ...one, ...other, ...(Object.keys(joined).length === 0 ? {} : { enum: joined }) }];
        }),
      ),
    }),
    { attributes: {} },
  );

/** The errors of an event against the OCSF schema of class OSINT Inventory Info. */
export function ocsfFaults(event: Json): string[] {
  return objectFaults(event, osintInventoryInfo, "event");
}

function objectFaults(value: Json, { attributes }: OcsfClass, place: string): string[] {
  const missing = Object.entries(attributes).filter(
    ([key, { requirement }]) => requirement === "required" && !(key in value),
  );
  return [
    ...missing.map(([key]) => `${place}.${key} is missing`),
    ...Object.entries(value).flatMap(([key, member]) => {
      const own = attributes[key];
      if (own === undefined) return [`${place}.${key} is unknown`];
      const attribute = { ...dictionary.attributes[key], ...own };
      const all = attribute.is_array === true ? member : [member];
      if (!Array.isArray(all)) return [`${place}.${key} is no array`];
      return all.flatMap((one) => valueFaults(one, attribute, `${place}.${key}`));
    }),
  ];
}

function valueFaults(value: unknown, { type = "", enum: known }: OcsfAttribute, place: string): string[] {
  const inner = ocsfObjects[type];
  if (inner !== undefined) return objectFaults(value as Json, inner, place);
  // Uids of classes and types are not listed where they are declared: the test looks at them itself.
  if (known !== undefined && !/class_uid|category_uid|type_uid/.test(place) && !(String(value) in known)) {
    return [`${place} is ${value}, which is not in its list`];
  }
  const basic = dictionary.types.attributes[type]?.type ?? type;
  const isRight =
    basic === "string_t"
      ? typeof value === "string"
      : ["integer_t", "long_t"].includes(basic) || basic === "timestamp_t"
        ? Number.isSafeInteger(value)
        : typeof value === "object";
  return isRight ? [] : [`${place} is no ${type}`];
}

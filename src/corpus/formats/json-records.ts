import type { EmailAddress } from "../../domain/email.ts";
import { addressOf } from "../address.ts";
import type { ParsedFields } from "../record.ts";
import { columnName, isFieldName, isSecretKind, kindOfName } from "./column-names.ts";
import type { RecordSink } from "./format.ts";
import {
  betterClaim,
  type Claim,
  claimOf,
  countAddresses,
  isObject,
  type JsonObject,
  otherRank,
} from "./json-addresses.ts";

export type JsonRules = {
  /** The only member that may hold the address, as a normalised name; null = any member that is not a secret. */
  readonly column: string | null;
  /** The fields to keep of a record. `isWhole`: the object is the whole record, not a part of it. */
  readonly fieldsOf: (record: JsonObject, isWhole: boolean) => ParsedFields;
};

/** Deeper values are not searched for records. */
const maxNesting = 100;

/** An open container of records. */
type Frame = {
  readonly isArray: boolean;
  /** Whether it is below a member named like a secret. */
  readonly isSecret: boolean;
  /** The best claim of its members so far, its members that can be fields, and whether it has other members. */
  claim: Claim | null;
  members: Record<string, unknown>;
  hasOthers: boolean;
  /** Records found below it so far, and elements without an address. */
  recordCount: number;
  emptyCount: number;
};

/**
 * Finds the records in JSON. A record is an object with an address in one of its own members: a line, an element of an
 * array, or the value that an object maps an address to. Everything that holds records is a container:
 * `{"data":{"users":[...]}}`. A record uses the addresses of one member only. Addresses in its other members and nested
 * objects may belong to other people or be secrets, and are only counted.
 *
 * `record` takes a whole line or element. A text that is one large container is walked with `enter`, `member`,
 * `element` and `leave`; `root` does the same for a value in memory.
 */
export class JsonRecords {
  readonly #sink: RecordSink;
  readonly #rules: JsonRules;
  readonly #frames: Frame[] = [];
  /** The added addresses of the current value. */
  readonly #taken = new Set<string>();

  constructor(sink: RecordSink, rules: JsonRules) {
    this.#sink = sink;
    this.#rules = rules;
  }

  /** Takes a line, or one of several values. */
  record(value: unknown): void {
    if (isBulkAction(value)) return;
    if (typeof value !== "object" || value === null) this.#sink.add("malformed");
    else if (!this.#take(value, true, 0)) this.#sink.add(isEmptyArray(value) ? "malformed" : "no_email");
    this.#countFurther(value);
  }

  /** Takes the only value of a text. */
  root(value: unknown): void {
    if (Array.isArray(value) || isObject(value)) this.#walk(value, null);
    else this.#sink.add("malformed");
  }

  enter(isArray: boolean, name: string | null): void {
    const parent = this.#frames.at(-1);
    const isSecret = parent?.isSecret === true || (name !== null && isSecretKind(kindOfName(name)));
    this.#frames.push({ isArray, isSecret, claim: null, members: {}, hasOthers: false, recordCount: 0, emptyCount: 0 });
  }

  /** Takes a member of the innermost container. */
  member(name: string, value: unknown): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return;
    const key = addressIn(name);
    if (frame.isSecret || isSecretKind(kindOfName(name))) {
      this.#countFurther({ [name]: value });
    } else if (key !== null && this.#rules.column === null) {
      this.#addKeyed(key, value);
      frame.recordCount++;
      this.#countFurther({ [name]: value });
    } else {
      this.#takeMember(frame, name, value);
    }
  }

  /** Takes an element of the innermost container. */
  element(value: unknown): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return;
    const isContainer = typeof value === "object" && value !== null;
    const address =
      typeof value === "string" && !frame.isSecret && this.#rules.column === null ? addressOf(value) : null;
    if (address !== null) this.#add([address], {}, false);
    const isRecord = address !== null || (isContainer && !frame.isSecret && this.#take(value, true, 0));
    if (isRecord) frame.recordCount++;
    else if (isContainer) frame.emptyCount++;
    this.#countFurther(value);
  }

  /** Notes that the current element was read by the scanner. */
  noteRecord(): void {
    const frame = this.#frames.at(-1);
    if (frame !== undefined) frame.recordCount++;
  }

  /** Whether the innermost container is below a member named like a secret. */
  isSecret(): boolean {
    return this.#frames.at(-1)?.isSecret === true;
  }

  leave(): void {
    const frame = this.#frames.pop();
    if (frame === undefined) return;
    const { claim } = frame;
    if (claim !== null && (claim.rank !== otherRank || frame.recordCount === 0)) {
      if (claim.addresses.length > 0) this.#add(claim.addresses, frame.members, !frame.hasOthers);
      else if (frame.recordCount === 0) this.#sink.add("invalid_email");
      frame.recordCount++;
    } else if (claim !== null) {
      this.#sink.noteFurtherAddresses(claim.addresses.length);
    }
    this.#taken.clear();
    // Elements without an address are records only if other elements have one.
    if (frame.recordCount > 0) for (let left = frame.emptyCount; left > 0; left--) this.#sink.add("no_email");
    const parent = this.#frames.at(-1);
    if (parent !== undefined) parent.recordCount += frame.recordCount;
  }

  #walk(value: JsonObject | readonly unknown[], name: string | null): void {
    this.enter(Array.isArray(value), name);
    if (this.#frames.length > maxNesting) this.#countFurther(value);
    else if (Array.isArray(value)) for (const one of value) this.element(one);
    else for (const [member, one] of Object.entries(value)) this.member(member, one);
    this.leave();
  }

  /** Takes a member of a container: its own address, a field, or a nested container. */
  #takeMember(frame: Frame, name: string, value: unknown): void {
    const claim = claimOf(name, value, this.#rules.column);
    // Only members that can be fields are held: a container may have any number of members.
    if (isFieldName(columnName(name))) frame.members[name] = value;
    else frame.hasOthers = true;
    if (isContainer(value) && (claim === null || claim.addresses.length === 0)) {
      this.#walk(value, name);
      return;
    }
    const better = betterClaim(frame.claim, claim);
    const lost = better === claim ? frame.claim : claim;
    if (better !== null) frame.claim = better;
    if (lost !== null && lost !== better) this.#sink.noteFurtherAddresses(lost.addresses.length);
    if (claim === null) this.#countFurther(value);
  }

  #addKeyed(address: EmailAddress, value: unknown): void {
    this.#add([address], isObject(value) ? value : {}, false);
  }

  /** Adds the records of a line or an element; false when there are none. */
  #take(value: object, isWhole: boolean, nesting: number, isNamed = false): boolean {
    if (nesting > maxNesting) return false;
    if (Array.isArray(value)) return this.#takeArray(value, nesting, isNamed);
    const object = value as JsonObject;
    const entries = Object.entries(object);
    const claim = entries.reduce<Claim | null>(
      (best, [name, one]) => betterClaim(best, claimOf(name, one, this.#rules.column)),
      null,
    );
    if (claim !== null && claim.rank !== otherRank && claim.addresses.length > 0) {
      this.#add(claim.addresses, object, isWhole);
      return true;
    }
    let isFound = false;
    for (const [name, one] of entries) {
      const key = this.#rules.column === null ? addressIn(name) : null;
      if (key !== null) this.#addKeyed(key, one);
      const mayHold = key === null && isContainer(one) && !isSecretKind(kindOfName(name));
      if (key !== null || (mayHold && this.#take(one, false, nesting + 1, !Array.isArray(value)))) isFound = true;
    }
    if (isFound) return true;
    if (claim === null) return false;
    if (claim.addresses.length > 0) this.#add(claim.addresses, object, isWhole);
    else this.#sink.add("invalid_email");
    return true;
  }

  /**
   * Searches the objects and arrays in an array. If a named array holds only addresses, each is a record. Of any other
   * array of texts only the first address is used: the text after it may be a secret.
   */
  #takeArray(values: readonly unknown[], nesting: number, isNamed: boolean): boolean {
    let isFound = false;
    for (const one of values) if (isContainer(one) && this.#take(one, false, nesting + 1)) isFound = true;
    if (isFound || this.#rules.column !== null) return isFound;
    const addresses = values.flatMap((one) => (typeof one === "string" ? (addressIn(one) ?? []) : []));
    const [first] = addresses;
    if (first === undefined) return false;
    this.#add(isNamed && addresses.length === values.length ? [...new Set(addresses)] : [first], {}, false);
    return true;
  }

  #add(addresses: readonly EmailAddress[], record: JsonObject, isWhole: boolean): void {
    const { fields, droppedCount } = this.#rules.fieldsOf(record, isWhole);
    for (const [index, address] of addresses.entries()) {
      this.#taken.add(address);
      this.#sink.add({ address, fields, droppedCount: index === 0 ? droppedCount : 0 });
    }
  }

  /** Counts the addresses of a value that were not added. Called when the whole value has been read. */
  #countFurther(value: unknown): void {
    const count = countAddresses(value, this.#taken);
    if (count > 0) this.#sink.noteFurtherAddresses(count);
    this.#taken.clear();
  }
}

/** The address in a text, or null. Most texts lack an at-sign, so this is checked first. */
function addressIn(text: string): EmailAddress | null {
  return text.includes("@") ? addressOf(text) : null;
}

function isContainer(value: unknown): value is JsonObject | readonly unknown[] {
  return typeof value === "object" && value !== null;
}

function isEmptyArray(value: object): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Whether a value is an action line of an Elasticsearch bulk file, which stands between the documents. */
function isBulkAction(value: unknown): boolean {
  if (!isObject(value)) return false;
  const [[name, action] = ["", null], ...others] = Object.entries(value);
  const isAction = name === "index" || name === "create" || name === "update" || name === "delete";
  return others.length === 0 && isAction && isObject(action) && ("_index" in action || "_id" in action);
}

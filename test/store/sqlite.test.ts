import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3/linux-x64";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { describeStore } from "./contract.ts";

describeStore("SQLite", async () => SqliteStore.inMemory());

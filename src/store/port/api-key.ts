import type { ApiKey, KeyStatus } from "../../domain/api-key.ts";
import type { Author } from "../../domain/audit.ts";
import type { WorkspaceId } from "../../domain/workspace.ts";
import type { Page } from "./page.ts";

/** API keys. They are never deleted. */
export interface ApiKeyStore {
  insertKey(workspaceId: WorkspaceId, key: NewApiKey, by: Author): Promise<ApiKey>;
  /**
   * Revokes a key and replaces it by `next`, with its name, expiry, scopes, addresses and budget. Null when there is no
   * such key.
   */
  rotateKey(workspaceId: WorkspaceId, keyId: string, next: NextApiKey, by: Author): Promise<ApiKey | null>;
  /** Revokes a key; a revoked key stays as it is. Null when there is no such key. */
  revokeKey(workspaceId: WorkspaceId, keyId: string, by: Author): Promise<ApiKey | null>;
  /** Null when there is no such key. */
  findKey(workspaceId: WorkspaceId, keyId: string): Promise<ApiKey | null>;
  listKeys(workspaceId: WorkspaceId, page: KeyPage): Promise<Page<ApiKey>>;
}

export type NewApiKey = Pick<
  ApiKey,
  "id" | "name" | "prefix" | "createdAt" | "createdBy" | "expiresAt" | "scopes" | "allowedIps"
> & { readonly hash: string };

/** The fields of a replacement key that are new. Name, expiry, scopes and addresses are taken over. */
export type NextApiKey = Pick<NewApiKey, "id" | "prefix" | "hash" | "createdAt" | "createdBy">;

export type KeyPage = {
  readonly limit: number;
  readonly cursor: string | null;
  readonly status: KeyStatus | null;
  readonly now: Date;
};

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "../wire/session.ts";
import type { Fault } from "./api.ts";

/** The logged-in operator, and the ways to end the session. */
export type Session = {
  readonly me: Me;
  /** Called when the service no longer knows the session: shows the log-in, which leads back to the current page. */
  readonly expire: () => void;
  readonly logOut: () => Promise<void>;
};

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("a page was shown without a session");
  return session;
}

/** True when a request failed because the session is over. */
export function isExpiry(fault: Fault): boolean {
  return fault.status === 401;
}

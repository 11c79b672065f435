import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "../wire/session.ts";
import type { Fault } from "./api.ts";

/** Who is logged in, and what ends that. */
export type Session = {
  readonly me: Me;
  /** The service no longer knows this session: the log-in comes up, and leads back to the page one is on. */
  readonly expire: () => void;
  readonly logOut: () => Promise<void>;
};

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("a page was shown without a session");
  return session;
}

/** True for the answer to a request whose session is over. */
export function isExpiry(fault: Fault): boolean {
  return fault.status === 401;
}

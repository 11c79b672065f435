import { useState } from "preact/hooks";
import type { LogInRequest } from "../wire/session.ts";
import { ask, Fault } from "./api.ts";
import { FaultNotice } from "./fault-notice.tsx";
import { Footer } from "./footer.tsx";
import type { Theme } from "./theme.ts";
import { ThemeButton } from "./theme-button.tsx";
import { Wordmark } from "./wordmark.tsx";

type LogInProps = {
  /** True when the session ended while a page was open. */
  readonly wasIn: boolean;
  readonly theme: Theme;
  readonly toggleTheme: () => void;
  readonly sourceUrl: string | null;
  readonly onEntered: () => Promise<void>;
};

export function LogIn({ wasIn, theme, toggleTheme, sourceUrl, onEntered }: LogInProps) {
  const [token, setToken] = useState("");
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);

  const logIn = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    try {
      const body: LogInRequest = { token: token.trim() };
      await ask("/session", { method: "POST", body });
      await onEntered();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      setFault(error.status === 401 ? new Fault(401, error.code, "This token is not one of an operator.") : error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="gate">
      <main class="gate-card">
        <div class="row spread">
          <Wordmark />
          <ThemeButton theme={theme} toggle={toggleTheme} />
        </div>
        <h1>Log in</h1>
        {wasIn ? (
          <p class="notice" role="status">
            The session is over. Log in again to go on where you were.
          </p>
        ) : (
          <p class="quiet">Evidence of what the internet exposes about an email address.</p>
        )}
        <form onSubmit={logIn}>
          <label class="field">
            <span>Operator token</span>
            <input
              type="password"
              name="token"
              value={token}
              onInput={(event) => setToken(event.currentTarget.value)}
              placeholder="xpz_admin_…"
              autocomplete="current-password"
              spellcheck={false}
              required
              aria-describedby="token-hint"
            />
          </label>
          <p class="quiet small" id="token-hint">
            <code>xpose init</code> printed the first one; <code>xpose operators create --name NAME</code> makes
            another.
          </p>
          {fault === null ? null : <FaultNotice fault={fault} />}
          <button type="submit" class="button primary wide" disabled={isBusy}>
            {isBusy ? "Logging in…" : "Log in"}
          </button>
        </form>
      </main>
      <Footer version={null} sourceUrl={sourceUrl} />
    </div>
  );
}

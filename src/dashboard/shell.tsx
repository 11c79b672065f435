import type { ComponentType } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { AuditPage } from "./audit-page.tsx";
import { CorporaPage } from "./corpora-page.tsx";
import { Footer } from "./footer.tsx";
import { Foreign } from "./foreign.tsx";
import { Icon } from "./icon.tsx";
import { LookUpPage } from "./look-up-page.tsx";
import { OrganizationPage } from "./organization-page.tsx";
import { OverviewPage } from "./overview-page.tsx";
import { PageFrame } from "./page-frame.tsx";
import { hrefOf, type PageName, pages, pageTitles, type Route, useRoute } from "./route.ts";
import { useSession } from "./session.ts";
import { SourcesPage } from "./sources-page.tsx";
import type { Theme } from "./theme.ts";
import { ThemeButton } from "./theme-button.tsx";
import { Wordmark } from "./wordmark.tsx";

const pageOf: Readonly<Record<PageName, ComponentType<{ route: Route; theme: Theme }>>> = {
  overview: OverviewPage,
  "look-up": LookUpPage,
  sources: SourcesPage,
  corpora: CorporaPage,
  audit: AuditPage,
  organization: OrganizationPage,
};

type ShellProps = { readonly theme: Theme; readonly toggleTheme: () => void; readonly sourceUrl: string | null };

/** The navigation, the open page and the footer. */
export function Shell({ theme, toggleTheme, sourceUrl }: ShellProps) {
  const { me, logOut } = useSession();
  const route = useRoute();
  const Page = pageOf[route.page];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // A layout effect, so that it runs before the user can type; later it would steal the focus.
  useLayoutEffect(() => {
    document.title = `${pageTitles[route.page]} · xpose`;
    // Moves the focus to the new page for keyboard and screen-reader users, but not on the first page.
    const hasFocus = main.current?.contains(document.activeElement) === true;
    if (!isFirst.current && !hasFocus) main.current?.focus();
    isFirst.current = false;
  }, [route.page]);

  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <header class="side">
        <Wordmark />
        <div class="side-workspace">
          <span class="side-name">
            <Foreign text={me.workspace.name} />
          </span>
          <span class="tag">{me.workspace.plan}</span>
        </div>
        <nav aria-label="Pages">
          <ul>
            {pages.map((page) => (
              <li key={page}>
                <a href={hrefOf(page)} aria-current={page === route.page ? "page" : undefined}>
                  <Icon name={page} />
                  {pageTitles[page]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="side-end">
          <div class="side-operator">
            <span class="side-name">
              <Foreign text={me.operator.name} />
            </span>
            <span class="quiet small">{me.operator.role}</span>
          </div>
          <ThemeButton theme={theme} toggle={toggleTheme} />
          <button type="button" class="button plain icon-only" onClick={logOut} aria-label="Log out" title="Log out">
            <Icon name="leave" />
          </button>
        </div>
      </header>
      <div class="content">
        <main ref={main} id="main" tabIndex={-1}>
          <PageFrame key={route.page}>
            <Page route={route} theme={theme} />
          </PageFrame>
        </main>
        <Footer version={me.version} sourceUrl={sourceUrl} />
      </div>
    </div>
  );
}

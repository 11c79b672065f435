type FooterProps = {
  /** Null before the log-in, because the version is not public. */
  readonly version: string | null;
  /** `server.source_url` */
  readonly sourceUrl: string | null;
};

/** The licence and the offer of the source code, which section 13 of the AGPL requires. */
export function Footer({ version, sourceUrl }: FooterProps) {
  return (
    <footer class="footer">
      <span>{version === null ? "xpose" : `xpose ${version}`}</span>
      <span>Free software under the GNU Affero General Public License, version 3</span>
      {sourceUrl !== null && /^https?:\/\//.test(sourceUrl) ? (
        <a href={sourceUrl} rel="noreferrer noopener">
          Get the corresponding source
        </a>
      ) : (
        <span>Ask the operator of this installation for the corresponding source (server.source_url)</span>
      )}
    </footer>
  );
}

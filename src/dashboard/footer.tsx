type FooterProps = {
  /** Null before the log-in: it is nobody else's business. */
  readonly version: string | null;
  /** `server.source_url` */
  readonly sourceUrl: string | null;
};

/** Licence and the offer of the source, as section 13 of the AGPL asks. */
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
        <span>The corresponding source is to be had from whoever runs this installation (server.source_url)</span>
      )}
    </footer>
  );
}

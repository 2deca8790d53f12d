/** What an operator should know at a glance when the service has started. */
export interface BannerFacts {
  readonly url: URL;
  readonly developmentMode: boolean;
  readonly adminUser: string;
  /** Shown only in development mode, and only when it was generated. */
  readonly adminPassword: string | undefined;
  readonly dataDir: string;
  readonly pushHost: string;
  readonly warnings: readonly string[];
}

/** The lines the program prints when it accepts requests; one of them says `listening on <url>`. */
export function banner(facts: BannerFacts): string {
  const lines = [`roomkeep listening on ${facts.url.origin}`];
  if (facts.developmentMode)
    lines.push(
      '',
      '  Development mode: no Tencent keys are configured, so everything is local and open.',
      `  Data        ${facts.dataDir}`,
      `  Push to     rtmp://${facts.pushHost}/live/... (bring an RTMP origin, for example SRS)`,
      `  Admin page  ${facts.url.origin}/weapp/utils/logfilelist`,
    );
  if (facts.developmentMode && facts.adminPassword !== undefined)
    lines.push(`  Admin       ${facts.adminUser} / ${facts.adminPassword}`);
  if (facts.warnings.length > 0)
    lines.push('', ...facts.warnings.map((warning) => `  Careful: ${warning}`));
  return `${lines.join('\n')}\n`;
}

import type { IAuthenticateGeneric, ICredentialTestRequest, ICredentialType, INodeProperties } from "n8n-workflow";

export class XposeApi implements ICredentialType {
  name = "xposeApi";

  displayName = "xpose API";

  documentationUrl = "https://xpose.example.com";

  properties: INodeProperties[] = [
    {
      displayName: "URL",
      name: "url",
      type: "string",
      default: "",
      placeholder: "https://xpose.example.com",
      required: true,
    },
    {
      displayName: "API Key",
      name: "apiKey",
      type: "string",
      typeOptions: { password: true },
      default: "",
      required: true,
    },
    {
      displayName: "Ignore SSL Issues (Insecure)",
      name: "allowUnauthorizedCerts",
      type: "boolean",
      default: false,
      description: "Whether to connect even if the certificate is not trusted. Every result says so.",
    },
  ];

  authenticate: IAuthenticateGeneric = {
    type: "generic",
    properties: { headers: { "X-API-Key": "={{$credentials.apiKey}}" } },
  };

  test: ICredentialTestRequest = {
    request: {
      baseURL: '={{$credentials.url.trim().replace(/\\/+$/, "")}}',
      url: "/api/v1/soc/whoami",
      method: "GET",
      headers: { Accept: "application/json" },
      disableFollowRedirect: true,
      skipSslCertificateValidation: "={{$credentials.allowUnauthorizedCerts}}",
    },
    rules: [
      {
        type: "responseSuccessBody",
        properties: { key: "version", value: undefined, message: "The URL does not lead to xpose" },
      },
    ],
  };
}

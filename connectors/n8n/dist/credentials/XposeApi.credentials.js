"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.XposeApi = void 0;
class XposeApi {
    name = "xposeApi";
    displayName = "xpose API";
    documentationUrl = "https://xpose.example.com";
    properties = [
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
    authenticate = {
        type: "generic",
        properties: { headers: { "X-API-Key": "={{$credentials.apiKey}}" } },
    };
    test = {
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
exports.XposeApi = XposeApi;

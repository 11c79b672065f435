<#
xpose for PowerShell 5.1 and 7: exposure evidence about an email address, in one file without dependencies.

    Import-Module ./Xpose.psm1
    $env:XPOSE_URL = 'https://xpose.example.com'
    $env:XPOSE_API_KEY_FILE = '/etc/xpose/soc.key'
    (Get-XposeExposure 'jane.doe@example.com').headline

Settings come from the environment: XPOSE_URL, XPOSE_API_KEY or XPOSE_API_KEY_FILE, XPOSE_PROXY, XPOSE_WAIT, XPOSE_VERIFY.
There is no parameter for the key, so that it stands in no history. Licence: AGPL-3.0-only.
#>

Set-StrictMode -Version 2.0

$script:Version = '0.1.0'
$script:NotVerified = 'TLS was not verified'
$script:MaxAnswerBytes = 16MB

<# Why there is no answer. The message is complete; `code` and `retry_after` (seconds) are for scripts. #>
class XposeException : System.Exception {
    [string] $code
    [object] $retry_after

    XposeException([string] $message, [string] $code, [object] $retryAfter) : base($message) {
        $this.code = $code
        $this.retry_after = $retryAfter
    }
}

function Get-XposeExposure {
    <#
    .SYNOPSIS
    The case of an address, with `headline` as its first member, whether anything was found or not.
    .DESCRIPTION
    A scan in which no source answered is an error, never an empty case. Throws XposeException.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0, ValueFromPipeline)] [string] $Email,
        [ValidateSet('clear', 'green', 'amber', 'amber+strict', 'red')] [string] $Tlp,
        [switch] $CachedOnly,
        [int] $MaxAge = -1,
        [int] $TimeLimit = 300
    )
    process {
        $session = New-XposeSession $TimeLimit
        $body = @{ indicator = @{ type = 'email'; value = $Email } }
        $options = Get-XposeOptions $Tlp $CachedOnly $MaxAge
        if ($options.Count -gt 0) { $body.options = $options }
        $answer = Invoke-XposeCall $session 'POST' '/api/v1/soc/enrich' $body $true
        $scan = Get-XposeId $answer 'request_id'
        while ($true) {
            while ((Get-XposeMember $answer 'status') -notin 'completed', 'failed') {
                Wait-XposePoll $session $scan (Get-XposeMember $answer 'status')
                $answer = Invoke-XposeCall $session 'GET' "/api/v1/soc/enrich/$scan" $null $true
            }
            $answer = Invoke-XposeCall $session 'GET' "/api/v1/soc/enrich/$scan/case" $null $false
            $status = Get-XposeMember $answer 'status'
            if ($status -eq 'failed' -or ($status -eq 'completed' -and $null -eq (Get-XposeMember $answer 'exposure'))) {
                throw [XposeException]::new((Get-XposeNoSource $answer), 'scan_failed', $null)
            }
            if ($status -eq 'completed') { break }
        }
        $case = [ordered] @{ headline = Get-XposeHeadline $answer }
        foreach ($member in $answer.PSObject.Properties) { $case[$member.Name] = $member.Value }
        if (-not $session.Verify) { $case.warning = $script:NotVerified }
        [pscustomobject] $case
    }
}

function Get-XposeBulk {
    <#
    .SYNOPSIS
    One row per address given, in their order. `total` is null unless `status` is completed; `error` then says why.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)] [string[]] $Emails,
        [ValidateSet('clear', 'green', 'amber', 'amber+strict', 'red')] [string] $Tlp,
        [switch] $CachedOnly,
        [int] $MaxAge = -1,
        [int] $TimeLimit = 300
    )
    $session = New-XposeSession $TimeLimit
    $rows = @{}
    $distinct = @($Emails | ForEach-Object { $_.Trim().ToLowerInvariant() } | Select-Object -Unique)
    for ($start = 0; $start -lt $distinct.Count; $start += 1000) {
        $part = @($distinct[$start..([Math]::Min($start + 999, $distinct.Count - 1))])
        $body = @{ indicators = @($part | ForEach-Object { @{ type = 'email'; value = $_ } }) }
        $options = Get-XposeOptions $Tlp $CachedOnly $MaxAge
        if ($options.Count -gt 0) { $body.options = $options }
        $answer = Invoke-XposeCall $session 'POST' '/api/v1/soc/enrich/bulk' $body $true
        $bulk = Get-XposeId $answer 'bulk_id'
        while ((Get-XposeMember $answer 'status') -ne 'completed' -and (Test-XposeTime $session)) {
            Wait-XposePoll $session $bulk 'running'
            $answer = Invoke-XposeCall $session 'GET' "/api/v1/soc/enrich/bulk/$bulk" $null $true
        }
        $results = @(Get-XposeMember $answer 'results')
        if ($results.Count -ne $part.Count) {
            throw [XposeException]::new("xpose answered $($results.Count) rows for $($part.Count) addresses", $null, $null)
        }
        for ($at = 0; $at -lt $part.Count; $at++) { $rows[$part[$at]] = $results[$at] }
    }
    foreach ($email in $Emails) {
        New-XposeRow $session $email $rows[$email.Trim().ToLowerInvariant()]
    }
}

function Test-XposeConnection {
    <#
    .SYNOPSIS
    Whose key this is. Starts nothing and costs nothing. Throws XposeException.
    #>
    [CmdletBinding()]
    param()
    $session = New-XposeSession 30
    $answer = Invoke-XposeCall $session 'GET' '/api/v1/soc/whoami' $null $false
    if (-not $session.Verify) { $answer | Add-Member -NotePropertyName warning -NotePropertyValue $script:NotVerified }
    $answer
}

function New-XposeSession([int] $seconds) {
    $url = "$env:XPOSE_URL".Trim().TrimEnd('/')
    if ($url -notmatch '^https?://[^/@]+(/[^@]*)?$') {
        throw [XposeException]::new('xpose: url is wanted, such as https://xpose.example.com, without user and password', $null, $null)
    }
    $key = "$env:XPOSE_API_KEY"
    if ($key -eq '' -and "$env:XPOSE_API_KEY_FILE" -ne '') {
        try { $key = [System.IO.File]::ReadAllText($env:XPOSE_API_KEY_FILE) }
        catch { throw [XposeException]::new('xpose: api_key_file cannot be read', $null, $null) }
    }
    $key = $key.Trim()
    if ($key -notmatch '^[!-~]+$') {
        throw [XposeException]::new('xpose: api_key is not set, or holds odd characters', $null, $null)
    }
    $wait = 50
    if ("$env:XPOSE_WAIT" -ne '' -and -not [int]::TryParse($env:XPOSE_WAIT, [ref] $wait)) {
        throw [XposeException]::new("xpose: wait is a number of seconds, not '$env:XPOSE_WAIT'", $null, $null)
    }
    $verify = "$env:XPOSE_VERIFY" -notin 'false', '0', 'no', 'off'
    if (-not $verify -and $PSVersionTable.PSVersion.Major -lt 6) {
        throw [XposeException]::new('xpose: verify=false needs PowerShell 7; put your authority into the certificate store', $null, $null)
    }
    if ($PSVersionTable.PSVersion.Major -lt 6) {
        [System.Net.ServicePointManager]::SecurityProtocol =
            [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    }
    @{
        Url = $url; Key = $key; Wait = $wait; Verify = $verify; Proxy = "$env:XPOSE_PROXY".Trim()
        Deadline = [DateTime]::UtcNow.AddSeconds($seconds); RetryAfter = $null
    }
}

function Get-XposeOptions([string] $tlp, [bool] $cachedOnly, [int] $maxAge) {
    $options = @{}
    if ($tlp) { $options.tlp = $tlp }
    if ($cachedOnly) { $options.cached_only = $true }
    if ($maxAge -ge 0) { $options.max_age = $maxAge }
    $options
}

<# The answer as an object. Waits for a limit that ends in time. #>
function Invoke-XposeCall([hashtable] $session, [string] $method, [string] $path, $body, [bool] $waits) {
    while ($true) {
        $left = ($session.Deadline - [DateTime]::UtcNow).TotalSeconds
        $wait = 0
        if ($waits) { $wait = [int] [Math]::Floor([Math]::Min(50, [Math]::Min($session.Wait, $left))) }
        $response = Invoke-XposeExchange $session $method $path $body $wait ([Math]::Max(2, [Math]::Min($left, $wait + 15)))
        $status = $response.Status
        if ($status -ge 300 -and $status -lt 400) {
            throw [XposeException]::new("xpose answered ${status}: a redirect is not followed; correct the url", $null, $null)
        }
        $session.RetryAfter = ConvertFrom-XposeRetryAfter $response.RetryAfter
        $seconds = $null
        if ($status -in 429, 503) { $seconds = $session.RetryAfter }
        if ($null -ne $seconds -and (Test-XposeTime $session)) {
            Start-Sleep -Seconds ([Math]::Max(1, $seconds))
            continue
        }
        $answer = $null
        if ($response.Text -match '^\s*\{') {
            try { $answer = $response.Text | ConvertFrom-Json } catch { $answer = $null }
        }
        $problem = Get-XposeMember $answer 'error'
        if ($null -eq $answer -or ($status -ge 400 -and $null -eq (Get-XposeMember $problem 'code'))) {
            throw [XposeException]::new("xpose answered $status without JSON: the url does not lead to xpose", $null, $seconds)
        }
        if ($status -ge 400) { throw (New-XposeRefusal $problem $seconds) }
        return $answer
    }
}

<# One request. Status, the Retry-After header and the text, whatever the status is. #>
function Invoke-XposeExchange([hashtable] $session, [string] $method, [string] $path, $body, [int] $wait, [double] $timeout) {
    $request = @{
        Uri = $session.Url + $path
        Method = $method
        Headers = @{ 'X-API-Key' = $session.Key; 'Accept' = 'application/json' }
        UserAgent = "xpose-powershell/$script:Version"
        TimeoutSec = [int] [Math]::Ceiling($timeout)
        # A redirect would hand the key to another host.
        MaximumRedirection = 0
        UseBasicParsing = $true
        ErrorAction = 'SilentlyContinue'
    }
    if ($wait -gt 0) { $request.Headers['Prefer'] = "wait=$wait" }
    if ($null -ne $body) {
        $request.Body = [System.Text.Encoding]::UTF8.GetBytes(($body | ConvertTo-Json -Depth 6 -Compress))
        $request.ContentType = 'application/json'
    }
    if ($session.Proxy -ne '') {
        $proxy = [Uri] $session.Proxy
        $request.Proxy = $proxy.GetLeftPart([UriPartial]::Authority).Replace("$($proxy.UserInfo)@", '')
        if ($proxy.UserInfo -ne '') {
            $name, $secret = $proxy.UserInfo.Split(':', 2) | ForEach-Object { [Uri]::UnescapeDataString($_) }
            $secure = ConvertTo-SecureString "$secret" -AsPlainText -Force
            $request.ProxyCredential = [pscredential]::new($name, $secure)
        }
    }
    if ($PSVersionTable.PSVersion.Major -ge 6) {
        $request.SkipHttpErrorCheck = $true
        if (-not $session.Verify) { $request.SkipCertificateCheck = $true }
    }
    $ProgressPreference = 'SilentlyContinue'
    try {
        $response = Invoke-WebRequest @request
    }
    catch {
        # PowerShell 5.1 throws for every status that is no success.
        $failed = Get-XposeMember $_.Exception 'Response'
        if ($null -eq $failed) {
            throw [XposeException]::new("xpose does not answer: $(Get-XposeReason $_.Exception)", 'no_answer', $null)
        }
        $text = "$($_.ErrorDetails)"
        if ($text -eq '' -and $failed -is [System.Net.HttpWebResponse]) {
            $stream = $failed.GetResponseStream()
            if ($stream.CanSeek) { $stream.Position = 0 }
            $text = [System.IO.StreamReader]::new($stream, [System.Text.Encoding]::UTF8).ReadToEnd()
        }
        return @{ Status = [int] $failed.StatusCode; RetryAfter = "$($failed.Headers['Retry-After'])"; Text = $text }
    }
    if ($null -eq $response) { throw [XposeException]::new('xpose does not answer: no response', 'no_answer', $null) }
    if ($response.RawContentLength -gt $script:MaxAnswerBytes) {
        throw [XposeException]::new("xpose answered $([int] $response.StatusCode) with more than 16 MiB", $null, $null)
    }
    $retryAfter = "$(@($response.Headers['Retry-After'])[0])"
    # The text property is decoded as Latin-1 by PowerShell 5.1 where no charset is named.
    $text = [System.Text.Encoding]::UTF8.GetString($response.RawContentStream.ToArray())
    @{ Status = [int] $response.StatusCode; RetryAfter = $retryAfter; Text = $text }
}

function Get-XposeReason([System.Exception] $exception) {
    for ($at = $exception; $null -ne $at; $at = $at.InnerException) {
        $status = Get-XposeMember $at 'Status'
        if ("$status" -in 'TrustFailure', 'SecureChannelFailure' -or $at -is [System.Security.Authentication.AuthenticationException]) {
            return 'the certificate is not trusted'
        }
        if ("$status" -eq 'Timeout' -or $at -is [System.OperationCanceledException] -or $at -is [System.TimeoutException]) {
            return 'timed out'
        }
        if ($at -is [System.Net.Sockets.SocketException]) { return "$($at.SocketErrorCode)" }
        if ("$status" -eq 'NameResolutionFailure') { return 'the host is not known' }
    }
    'no connection'
}

function Test-XposeTime([hashtable] $session) {
    $seconds = 1
    if ($null -ne $session.RetryAfter) { $seconds = [Math]::Max(1, $session.RetryAfter) }
    [DateTime]::UtcNow.AddSeconds($seconds) -lt $session.Deadline
}

function Wait-XposePoll([hashtable] $session, [string] $scan, [string] $status) {
    if (-not (Test-XposeTime $session)) {
        throw [XposeException]::new((Get-XposeStill $scan $status), 'scan_pending', $null)
    }
    $seconds = 1
    if ($null -ne $session.RetryAfter) { $seconds = [Math]::Max(1, $session.RetryAfter) }
    Start-Sleep -Seconds $seconds
}

function ConvertFrom-XposeRetryAfter([string] $text) {
    $seconds = 0
    if ([int]::TryParse($text, [ref] $seconds)) { return [Math]::Max(0, $seconds) }
    $at = [DateTimeOffset]::MinValue
    if ([DateTimeOffset]::TryParse($text, [cultureinfo]::InvariantCulture, [System.Globalization.DateTimeStyles]::AssumeUniversal, [ref] $at)) {
        return [Math]::Max(0, [int] [Math]::Ceiling(($at - [DateTimeOffset]::UtcNow).TotalSeconds))
    }
    $null
}

<# A member of an object of an answer, or null: the strict mode throws for a missing one. #>
function Get-XposeMember($object, [string] $name) {
    if ($null -eq $object) { return $null }
    $member = $object.PSObject.Properties[$name]
    if ($null -eq $member) { return $null }
    # The comma keeps an empty list a list.
    if ($member.Value -is [array]) { return , $member.Value }
    $member.Value
}

function Get-XposeId($answer, [string] $name) {
    $id = "$(Get-XposeMember $answer $name)"
    if ($id -notmatch '^[0-9A-Za-z-]{1,64}$') {
        throw [XposeException]::new("xpose answered without a ${name}: the url does not lead to xpose", $null, $null)
    }
    $id
}

function New-XposeRow([hashtable] $session, [string] $email, $row) {
    $status = Get-XposeMember $row 'status'
    $isDone = $status -eq 'completed'
    $result = [ordered] @{
        email = $email
        status = $status
        request_id = Get-XposeMember $row 'request_id'
        total = $null
        partial = $null
        failed_sources = @(Get-XposeMember $row 'failed_sources')
        reach = Get-XposeMember $row 'reach'
        digest = Get-XposeMember $row 'digest'
        error = $null
    }
    if ($isDone) {
        $result.total = Get-XposeMember $row 'total'
        $result.partial = Get-XposeMember $row 'partial'
    }
    else { $result.error = Get-XposeRowError $session $row }
    if (-not $session.Verify) { $result.warning = $script:NotVerified }
    [pscustomobject] $result
}

function Get-XposeRowError([hashtable] $session, $row) {
    $scan = Get-XposeMember $row 'request_id'
    $status = Get-XposeMember $row 'status'
    if ($status -eq 'failed' -and $null -ne $scan) {
        return Get-XposeNoSource (Invoke-XposeCall $session 'GET' "/api/v1/soc/enrich/$scan/case" $null $false)
    }
    $problem = Get-XposeMember $row 'error'
    if ($null -ne $problem) { return (New-XposeRefusal $problem $null).Message }
    Get-XposeStill $scan $status
}

function New-XposeRefusal($problem, $seconds) {
    $code = Get-XposeMember $problem 'code'
    $message = "xpose: $code ($(Get-XposeMember $problem 'message'))"
    if ($null -ne $seconds) { $message += ", retry after $seconds s" }
    [XposeException]::new($message, $code, $seconds)
}

function Get-XposeStill([string] $scan, [string] $status) {
    "xpose: scan $scan is still $status; ask again"
}

function Get-XposeNoSource($case) {
    $failed = @(Get-XposeMember $case 'failed_sources' | Where-Object { $null -ne $_ })
    if ($failed.Count -eq 0) { return 'xpose: no source answered: none is enabled' }
    "xpose: no source answered: $(Join-XposeNames $failed)"
}

function Join-XposeNames($failed) {
    ($failed | ForEach-Object { "$($_.source) ($($_.error))" }) -join ', '
}

<# The one sentence about a case, the same in all connectors. #>
function Get-XposeHeadline($case) {
    $total = $case.exposure.total
    $sentence = switch ($total) { 0 { 'No finding' } 1 { '1 finding' } default { "$total findings" } }
    $severities = @('high', 'medium', 'low' | ForEach-Object {
            $count = Get-XposeMember $case.exposure.by_severity $_
            if ($count) { "$count $_" }
        })
    if ($severities.Count -gt 0) { $sentence += " ($($severities -join ', '))" }
    $asked = @($case.sources | Where-Object { $_.outcome -ne 'skipped' }).Count
    $failed = @($case.failed_sources | Where-Object { $null -ne $_ })
    $sentence += "; $($asked - $failed.Count) of $asked sources answered"
    if ($failed.Count -gt 0) { $sentence += "; could not look: $(Join-XposeNames $failed)" }
    if ((Get-XposeMember $case 'reach') -eq 'inside') { $sentence += '; outside sources were not asked' }
    $sentence
}

Export-ModuleMember -Function Get-XposeExposure, Get-XposeBulk, Test-XposeConnection

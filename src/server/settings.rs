//! From the configuration to what each room needs of it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::access::link::Signer;
use crate::access::oidc::Mapping;
use crate::alert::incident::Severity;
use crate::clock::Clock;
use crate::config::heartbeat::Heartbeat;
use crate::config::mail::ChannelKind;
use crate::config::{Config, Tls};
use crate::inbox;
use crate::notify::channel::{Channel, Channels, Form};
use crate::notify::mailer::Mailer;
use crate::notify::smtp::{self, Relay};
use crate::oidc::provider::{self, Provider};
use crate::outgoing::client::{self, Client};
use crate::outgoing::guard::{self, Policy};
use crate::pipeline::{self, bounds};
use crate::rollup::stream;
use crate::rules::Loaded;
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;
use crate::world::seal::Keyring;
use crate::{config, notify, providers, receive, web};

/// Where people reach the dashboard, without a slash at its end.
pub fn base_url(config: &Config, web: SocketAddr) -> String {
    let given = config.server.public_url.clone();
    given
        .unwrap_or_else(|| format!("{}://{web}", scheme(config, "web", &config.tls.web)))
        .trim_end_matches('/')
        .to_owned()
}

/// The file in the data folder that says where the dashboard is, for commands beside the server.
const WEB_ADDRESS: &str = "web-address";

/// Says where the dashboard is. Nothing depends on it but the links that commands print.
pub fn tell_web_address(data: &Path, web: SocketAddr) {
    let _ = std::fs::write(data.join(WEB_ADDRESS), web.to_string());
}

/// Where a server that works on a folder said its dashboard is; as configured where none did.
pub fn web_address(config: &Config) -> SocketAddr {
    let told = std::fs::read_to_string(config.server.data.join(WEB_ADDRESS)).ok();
    told.and_then(|told| told.trim().parse().ok()).unwrap_or(config.server.web)
}

/// How a port is asked.
fn scheme(config: &Config, name: &str, port: &crate::config::tls::Port) -> &'static str {
    if config.tls.of(name, port).is_some() { "https" } else { "http" }
}

/// The facts on vendors.
pub fn vendors(config: &Config) -> anyhow::Result<Arc<Providers>> {
    let loaded = providers::load(config.server.providers.as_deref());
    loaded.map(Arc::new).map_err(|problems| anyhow::anyhow!("{}", problems.join("\n")))
}

/// For how long the same request counts once.
pub fn claim_window(config: &Config) -> Nanos {
    i64::try_from(config.ingest.claim_seconds).unwrap_or(3600).saturating_mul(1_000_000_000)
}

/// Where everything is kept. A claim outlives its window, so that it is there after a restart at the window's end.
pub fn store(config: &Config, keyring: &Keyring) -> crate::store::Settings {
    let usual = crate::store::Settings::new(config.server.data.clone());
    let window = i64::try_from(config.ingest.claim_seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    let claims_kept = usual.claims_kept.max(window.saturating_mul(2));
    crate::store::Settings { claims_kept, keyring: keyring.clone(), ..usual }
}

/// Limits on series.
pub fn series_limits(config: &Config) -> bounds::Limits {
    bounds::Limits {
        endpoints: config.ingest.endpoints_per_integration,
        templates: config.ingest.templates_per_peer,
        ..bounds::Limits::default()
    }
}

/// Limits on metric streams.
pub fn stream_limits(config: &Config) -> stream::Limits {
    stream::Limits {
        streams: config.ingest.metric_streams,
        per_integration: config.ingest.metric_streams_per_integration,
        ..stream::Limits::default()
    }
}

/// Where the inbox lies and how large it may become.
pub fn inbox(config: &Config, keyring: &Keyring) -> inbox::Settings {
    let folder = config.server.data.join("inbox");
    let (max_bytes, keyring) = (config.ingest.inbox_bytes, keyring.clone());
    inbox::Settings { max_bytes, keyring, ..inbox::Settings::new(folder) }
}

/// What the corridor does with a request that it cannot count.
pub fn set_aside(inbox: &inbox::Settings, files: &Arc<dyn crate::world::files::Files>) -> pipeline::SetAside {
    let (inbox, files) = (inbox.clone(), files.clone());
    Arc::new(move |seq| inbox::aside::set_aside(&inbox, &*files, seq))
}

/// Bounds of the doors.
pub fn receive(config: &Config, max_connections: usize) -> receive::Settings {
    receive::Settings {
        max_body: config.ingest.max_body_bytes,
        max_connections,
        in_flight_bytes: config.ingest.in_flight_bytes,
        cors_origins: config.ingest.cors_origins.clone(),
        cors_headers: config.ingest.cors_headers.clone(),
        ..receive::Settings::default()
    }
}

/// The one client for all that calls out over HTTP.
pub fn outgoing(config: &Config) -> anyhow::Result<Client> {
    let of = &config.outgoing;
    let ports = of.ports.as_deref().unwrap_or(&guard::PORTS);
    let at = |key: &str| config.place("outgoing", key);
    let policy = Policy::new(&of.allow, &of.in_the_clear, ports)
        .map_err(|problem| anyhow::anyhow!("{}[outgoing] allow or in_the_clear: {problem}", at("allow")))?;
    let authorities = of.ca_file.as_deref().map(|file| {
        std::fs::read(file)
            .with_context(|| format!("{}ca_file = {} cannot be read", at("ca_file"), file.display()))
    });
    let authorities = authorities.transpose()?;
    let tls = client::trust(authorities.as_deref())
        .map_err(|problem| anyhow::anyhow!("{}ca_file is not usable: {problem}.", at("ca_file")))?;
    Ok(Client::new(policy, client::system(), tls))
}

/// Who outside is told that all is well, where one is configured; an address that may not be called is refused now.
pub fn heartbeat(config: &Config) -> anyhow::Result<Option<(Heartbeat, Client)>> {
    let Some(heartbeat) = &config.heartbeat else { return Ok(None) };
    let at = |key: &str| config.place("heartbeat", key);
    if heartbeat.every_seconds < 15 {
        bail!("{}[heartbeat] every_seconds is 15 at least.", at("every_seconds"));
    }
    let client = outgoing(config)?;
    client
        .check(&heartbeat.url)
        .map_err(|problem| anyhow::anyhow!("{}[heartbeat] url may not be called: {problem}", at("url")))?;
    Ok(Some((heartbeat.clone(), client)))
}

/// The provider of identities, where one is configured. `base_url` is where people reach the pages.
pub fn oidc(config: &Config, base_url: &str, clock: &Clock) -> anyhow::Result<Option<Arc<Provider>>> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let secret = oidc.client_secret_file.as_deref().map(|file| {
        let at = config.place("oidc", "client_secret_file");
        let said = |why: &dyn std::fmt::Display| {
            anyhow::anyhow!("{at}client_secret_file = {} cannot be read: {why}.", file.display())
        };
        let text = std::fs::read_to_string(file).map_err(|error| said(&error))?;
        let text = text.trim();
        if text.is_empty() { Err(said(&"it is empty")) } else { Ok(text.to_owned()) }
    });
    let settings = provider::Settings {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: secret.transpose()?,
        scopes: oidc.scopes.clone(),
        redirect_uri: format!("{base_url}{}", provider::CALLBACK),
        mapping: Mapping {
            groups_claim: oidc.groups_claim.clone(),
            admin: oidc.admin_groups.clone(),
            operator: oidc.operator_groups.clone(),
            viewer: oidc.viewer_groups.clone(),
            domains: oidc.allowed_domains.clone(),
        },
    };
    Ok(Some(Arc::new(Provider::new(settings, outgoing(config)?, clock.clone()))))
}

/// The relay, or the folder that stands in for it; and what the pages say of it.
pub fn mailer(config: &Config) -> anyhow::Result<(Arc<Mailer>, web::MailInfo)> {
    let from = config.mail.from.clone();
    let Some(smtp) = &config.smtp else {
        let folder = config.server.data.join("mail");
        let shown = std::path::absolute(&folder).unwrap_or_else(|_| folder.clone()).display().to_string();
        let info = web::MailInfo { transport: "file".into(), folder: Some(shown), from };
        return Ok((Arc::new(Mailer::File(folder)), info));
    };
    let read = |key: &str, file: &Path| {
        std::fs::read(file).with_context(|| format!("smtp.{key} = {} cannot be read", file.display()))
    };
    let password = match (&smtp.password, &smtp.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(file)) => {
            let text =
                String::from_utf8(read("password_file", file)?).context("smtp.password_file is not UTF-8")?;
            Some(text.trim_end().to_owned())
        }
        (None, None) => None,
    };
    match (&smtp.username, &password) {
        (Some(_), None) => {
            bail!("smtp.username has no password; add password_file, or set SEAMWATCH_SMTP_PASSWORD.")
        }
        (None, Some(_)) => {
            bail!("smtp has a password and no username; add username, or SEAMWATCH_SMTP_USERNAME.")
        }
        _ => {}
    }
    let (tls, port) = match smtp.tls {
        Tls::Starttls => (smtp::Tls::Starttls, 587),
        Tls::Implicit => (smtp::Tls::Implicit, 465),
        Tls::None => (smtp::Tls::None, 25),
    };
    let relay = Relay {
        host: smtp.host.clone(),
        port: smtp.port.unwrap_or(port),
        tls,
        ca_pem: smtp.ca_file.as_deref().map(|file| read("ca_file", file)).transpose()?,
        login: smtp.username.clone().zip(password),
    };
    let mailer = Mailer::smtp(&relay).map_err(anyhow::Error::msg)?;
    Ok((Arc::new(mailer), web::MailInfo { transport: "smtp".into(), folder: None, from }))
}

/// What mails go out by, how many, and who stands in.
pub fn outbox(config: &Config, signer: &Signer) -> notify::outbox::Settings {
    let signer = signer.clone();
    let mut stand_ins = config.mail.to.clone();
    stand_ins.extend(config.mail.escalate_to.clone());
    notify::outbox::Settings {
        from: config.mail.from.clone(),
        hourly: config.mail.hourly,
        stand_ins,
        readdress: Arc::new(move |body, to| signer.readdressed(body, to)),
    }
}

/// Ways to be told besides e-mail.
pub fn channels(config: &Config) -> anyhow::Result<Arc<Channels>> {
    let read = |channel: &config::mail::Channel, key: &str, file: &Path| {
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("channel {}: {key} = {} cannot be read", channel.name, file.display())
        })?;
        Ok::<String, anyhow::Error>(text.trim().to_owned())
    };
    let one = |channel: &config::mail::Channel| {
        let by_default = (channel.kind == ChannelKind::PagerDuty)
            .then(|| "https://events.pagerduty.com/v2/enqueue".to_owned());
        let url = match (&channel.url, &channel.url_file) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(file)) => Some(read(channel, "url_file", file)?),
            (None, None) => by_default,
        };
        let secret = match (&channel.secret, &channel.secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(file)) => read(channel, "secret_file", file)?,
            (None, None) => String::new(),
        };
        if secret.is_empty() && channel.kind != ChannelKind::Slack {
            bail!(
                "channel {} has no secret; name a secret_file, or set {}.",
                channel.name,
                channel.variable("SECRET")
            );
        }
        Ok(Channel {
            name: channel.name.clone(),
            form: match channel.kind {
                ChannelKind::Webhook => Form::Webhook,
                ChannelKind::Slack => Form::Slack,
                ChannelKind::PagerDuty => Form::PagerDuty,
            },
            url: url.unwrap_or_default(),
            secret,
            least: match &*channel.min_severity {
                "critical" => Severity::Critical,
                "info" => Severity::Info,
                _ => Severity::Warning,
            },
            integrations: channel.integrations.clone(),
        })
    };
    let all = config.channel.iter().map(one).collect::<anyhow::Result<Vec<Channel>>>()?;
    Ok(Arc::new(Channels { client: outgoing(config)?, all }))
}

/// What tells channels that somebody looks at an incident.
pub fn looked_at(channels: &Arc<Channels>) -> web::LookedAt {
    let channels = channels.clone();
    Arc::new(move |incident, by, told, now| channels.acknowledged(incident, by, told, now))
}

/// What the pages need of the configuration.
pub fn web(
    config: &Config,
    addresses: &super::Addresses,
    providers: Arc<Providers>,
    keyring: &Keyring,
) -> web::Settings {
    let given = |rule: &crate::config::integration::Integration| {
        let texts = (rule.tier.clone().unwrap_or_default(), rule.owner.clone().unwrap_or_default());
        (rule.name.clone(), texts)
    };
    web::Settings {
        non_production: config.environments.non_production.clone(),
        overrides: config.integration.iter().map(given).collect(),
        retired: config.retired(),
        base_url: base_url(config, addresses.web),
        notices: super::public::notices(config, addresses),
        public_host: config.server.public_host(),
        providers,
        encrypted_with: keyring.current().map(|key| key.to_string()),
        otlp_http: format!(
            "{}://{}",
            scheme(config, "otlp_http", &config.tls.otlp_http),
            addresses.otlp_http
        ),
    }
}

/// The rules as the pages see them.
pub fn rules_view(loaded: &Loaded, now: Nanos) -> web::RulesView {
    let rule = |rule: &crate::alert::rule::Rule| web::RuleView {
        id: rule.id.to_string(),
        title: rule.title.clone(),
        severity: rule.at_worst(),
        runbook: rule.runbook.clone(),
        signal: rule
            .condition
            .measures()
            .first()
            .map(|measure| measure.signal.name().to_owned())
            .unwrap_or_default(),
        signals: rule.signals().collect(),
    };
    let runbook = |(file, text): (&String, &String)| {
        let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".md");
        (name.to_owned(), text.clone())
    };
    web::RulesView {
        rules: loaded.rules.rules.iter().map(rule).collect(),
        runbooks: loaded.rules.runbooks.iter().map(runbook).collect(),
        maintenance: loaded.rules.maintenance.clone(),
        problems: Vec::new(),
        loaded_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Origin;

    #[test]
    fn a_rule_is_as_bad_as_its_worst_level() {
        let loaded = Origin::shipped().load().unwrap();
        let view = rules_view(&loaded, 0);
        let severity = |id: &str| view.rules.iter().find(|rule| rule.id == id).unwrap().severity;
        assert_eq!(
            severity("credential-expiry"),
            Severity::Critical,
            "its levels say so, the rule itself does not"
        );
        assert_eq!(severity("queue-behind"), Severity::Critical);
        assert_eq!(severity("latency-p95-high"), Severity::Warning);
    }
}

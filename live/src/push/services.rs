//! Which addresses may be sent to. A subscriber chooses the address, so anything that is not known
//! as a push service is refused: the service must not be made to call inside the network.

use crate::options::PushService;
use hyper::Uri;

/// Of the browsers that there are: Chrome and those made of it, Firefox, Safari (one host, and what
/// Apple may add), Edge.
const KNOWN: [&str; 5] = [
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    "*.push.apple.com",
    "*.notify.windows.com",
];

/// The push services that may be called.
pub struct Services(Vec<PushService>);

/// Whether an address is one of a push service.
fn is_of(service: &PushService, address: &Uri) -> bool {
    let (Some(scheme), Some(authority)) = (address.scheme_str(), address.authority()) else {
        return false;
    };
    let host = authority.host().to_ascii_lowercase();
    // Neither a user nor a password.
    if authority.as_str().contains('@') {
        return false;
    }
    let port = authority.port_u16();
    match service {
        PushService::Host(name, at) => {
            scheme == "https" && host == *name && port.unwrap_or(443) == *at
        }
        PushService::Below(domain) => {
            let inner = host.strip_suffix(domain.as_str());
            scheme == "https"
                && port.unwrap_or(443) == 443
                && inner.is_some_and(|name| !name.is_empty())
        }
        PushService::Loopback(place) => scheme == "http" && authority.as_str() == place,
    }
}

impl Services {
    /// Those that are known, and those of an option.
    pub fn new(more: &[PushService]) -> Self {
        let known = KNOWN
            .iter()
            .filter_map(|name| PushService::parse(name).ok());
        Self(known.chain(more.iter().cloned()).collect())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Of each, whether it has many hosts, of which subscribers choose one.
    pub fn have_many_hosts(&self) -> impl Iterator<Item = bool> {
        let is_below = |service: &PushService| matches!(service, PushService::Below(_));
        self.0.iter().map(is_below)
    }

    /// Which one an endpoint belongs to, and its address; `None` for one that may not be called.
    pub fn find(&self, endpoint: &str) -> Option<(usize, Uri)> {
        let address: Uri = endpoint.parse().ok()?;
        let place = self.0.iter().position(|service| is_of(service, &address))?;
        Some((place, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_push_services_are_called() {
        let services = Services::new(&[]);
        for good in [
            "https://fcm.googleapis.com/fcm/send/abc:def",
            "https://FCM.googleapis.com:443/fcm/send/abc",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
            "https://web.push.apple.com/QGu",
            "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%3d",
        ] {
            assert!(services.find(good).is_some(), "{good}");
        }
        for bad in [
            "http://fcm.googleapis.com/fcm/send/abc",
            "https://fcm.googleapis.com:8443/fcm/send/abc",
            "https://fcm.googleapis.com.evil.example/",
            "https://evil-push.apple.com/",
            "https://push.apple.com/",
            "https://evil.example/?fcm.googleapis.com",
            "https://fcm.googleapis.com@10.0.0.1/",
            "https://user:secret@fcm.googleapis.com/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "http://127.0.0.1:9000/",
            "http://169.254.169.254/latest/meta-data/",
            "https://localhost/",
            "file:///etc/passwd",
            "/relative",
            "",
        ] {
            assert!(services.find(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_option_adds_others() {
        let parse = |text| PushService::parse(text).expect(text);
        let own = [
            "push.example:8443",
            "*.push.example",
            "http://127.0.0.1:9000",
        ]
        .map(parse);
        let services = Services::new(&own);
        for (address, is_one) in [
            ("https://push.example:8443/x", true),
            ("https://push.example/x", false),
            ("https://a.push.example/x", true),
            ("http://127.0.0.1:9000/x", true),
            ("http://127.0.0.1:9001/x", false),
            ("https://127.0.0.1:9000/x", false),
            ("http://localhost:9000/x", false),
        ] {
            assert_eq!(services.find(address).is_some(), is_one, "{address}");
        }
    }
}

//! TLS towards the database, for queries and for replication alike.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::cluster::binaries::server_user;
use crate::scene::SOON;
use crate::service::Service;
use crate::shop::{Shop, import};
use crate::wait::eventually;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn key() -> KeyPair {
    KeyPair::generate().expect("the system has random numbers")
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new([]).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, key()).expect("parameters in order")
}

/// Writes a file that the server can read, and nobody else.
fn write_for_server(path: &Path, content: &str) {
    fs::write(path, content).expect("the folder is ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    if let Some((user, group)) = server_user() {
        chown(path, Some(user), Some(group)).expect("root may chown");
    }
}

/// Gives the server a certificate for localhost, and lets in only who comes by TLS.
fn encrypt(shop: &mut Shop, authority: &Authority) {
    let data = shop.cluster.data();
    let key = key();
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("in order");
    write_for_server(&data.join("server.crt"), &certificate.pem());
    write_for_server(&data.join("server.key"), &key.serialize_pem());
    shop.admin
        .run("CREATE ROLE hub LOGIN REPLICATION; GRANT authenticated, pg_monitor TO hub");
    shop.cluster.configure("ssl", "on");
    let rules = data.join("pg_hba.conf");
    let others = fs::read_to_string(&rules).expect("the folder is ours");
    let ours = "hostnossl all hub all reject\n";
    fs::write(&rules, ours.to_owned() + &others).expect("the folder is ours");
    shop.admin.run("SELECT pg_reload_conf()");
    // The settings of this session come with its next statement.
    eventually(SOON, "the server has TLS", || {
        shop.admin.one::<String>("SHOW ssl") == "on"
    });
}

#[test]
fn everything_goes_by_tls_and_the_certificate_is_checked_as_libpq_does() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let ours = authority("ours");
    encrypt(&mut shop, &ours);
    let folder = shop.cluster.folder().to_owned();
    let roots = |name: &str, pem: &str| {
        let path = folder.join(name);
        fs::write(&path, pem).expect("the folder is ours");
        path.display().to_string()
    };
    let roots_of_ours = roots("ours.pem", &ours.pem());
    let roots_of_others = roots("others.pem", &authority("others").pem());
    let port: String = shop.admin.one("SHOW port");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    let choose = |service: &mut Service, host: &str, options: &str| {
        service.use_address(&format!(
            "postgresql://hub@{host}:{port}/{POSTGRES}?{options}"
        ));
    };
    for (host, options, why) in [
        ("localhost", "sslmode=disable".to_owned(), "no encryption"),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={roots_of_ours}"),
            "certificate not valid for name",
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={roots_of_others}"),
            "UnknownIssuer",
        ),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={roots_of_others}"),
            "UnknownIssuer",
        ),
        (
            "localhost",
            "sslmode=verify-ca&sslrootcert=/nowhere".to_owned(),
            "cannot read /nowhere",
        ),
    ] {
        choose(&mut service, host, &options);
        let said = service.refused(&[]);
        assert!(said.contains(why), "{host} {options}: {said}");
    }
    for (number, (host, options)) in [
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={roots_of_ours}"),
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={roots_of_ours}"),
        ),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        choose(&mut service, host, &options);
        service.start(&["--create-slot"]);
        let mut stream = Stream::open(&service, 2, None);
        let id = 1 + number as i64;
        shop.admin.run(&import(2, id));
        stream.expect_signal(id);
        let kinds: Vec<String> = shop.admin.list(
            "SELECT DISTINCT format('%s %s', a.backend_type, s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
              WHERE a.usename = 'hub' ORDER BY 1",
        );
        assert_eq!(kinds, ["client backend t", "walsender t"], "{options}");
        assert!(service.stop().success());
    }

    shop.cluster.configure("ssl", "off");
    eventually(SOON, "the server has no TLS", || {
        shop.admin.one::<String>("SHOW ssl") == "off"
    });
    choose(&mut service, "127.0.0.1", "sslmode=require");
    let said = service.refused(&[]);
    assert!(said.contains("does not support TLS"), "{said}");
}

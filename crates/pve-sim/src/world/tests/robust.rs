use proptest::prelude::*;

use super::*;

/// Values that a careless or a hostile caller sends.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("18446744073709551615".to_owned()),
        Just(String::new()),
        Just("a=b,c=d,,=".to_owned()),
        Just("\u{1e}\u{1f}\u{202e}🦀".to_owned()),
        Just("local:8,size=99999999999T".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_that_is_sent_ends_the_world(
        place in any::<prop::sample::Index>(),
        segment in value(),
        values in prop::collection::vec(value(), 12),
        version in prop::sample::select(vec!["7.4", "8.4", "9.2"]),
    ) {
        let mut world = World::new(version);
        let endpoints = catalogue::Catalogue::builtin().endpoints();
        let endpoint = place.get(endpoints);
        let encoded = percent_encoding::utf8_percent_encode(&segment, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path = endpoint
            .path
            .replace("{node}", "pve1")
            .replace("{vmid}", if endpoint.path.contains("/lxc") { "102" } else { "103" })
            .replace("{userid}", "alice@pve");
        let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { encoded.as_str() } else { part }).collect();
        let path = path.join("/");
        for (value, param) in values.iter().zip(endpoint.params.iter().cycle()) {
            let name = param.name.replace("[n]", "0");
            let got = world.send(endpoint.method, &path, &[(&name, value)]);
            prop_assert!(matches!(got.status, 200 | 400 | 401 | 403 | 404 | 500 | 501), "{:?}", got);
            world.pass(20_000);
            world.get("/cluster/resources");
        }
    }
}

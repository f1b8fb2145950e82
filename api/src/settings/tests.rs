mod example;

use shardbook_feed::source::Source;

use super::*;
use crate::settings::given::File;

fn flags(text: &str) -> ServeArguments {
    let mut arguments = ServeArguments::default();
    for pair in text.split_whitespace() {
        let (name, value) = pair.split_once('=').expect("name=value");
        let value = Some(value.to_owned());
        match name {
            "listen" => arguments.listen = value,
            "feed" => arguments.feed = value,
            "feed_speed" => arguments.feed_speed = value,
            "feed_liquidity_levels" => arguments.feed_liquidity_levels = value,
            "database_url" => arguments.database_url = value,
            "queue_length" => arguments.queue_length = value,
            "partitions" => arguments.partitions = value,
            "open_to_everyone" => arguments.open_to_everyone = value,
            "auth" => arguments.auth = value,
            "requests_per_second" => arguments.requests_per_second = value,
            "allowed_hosts" => arguments.allowed_hosts = value,
            "allowed_origins" => arguments.allowed_origins = value,
            "log_format" => arguments.log_format = value,
            "log_lines_per_second" => arguments.log_lines_per_second = value,
            "log_filter" => arguments.log_filter = value,
            "binance_ws_url" => arguments.binance_ws_url = value,
            name => panic!("{name} is no flag of these tests"),
        }
    }
    arguments
}

fn read(arguments: &str, file: &str) -> Result<Settings, String> {
    let file: File = toml::from_str(file).map_err(|error| error.to_string())?;
    Settings::check(&Given {
        flags: &flags(arguments),
        file: &file,
    })
    .map_err(|error| error.to_string())
}

#[test]
fn without_settings_three_instruments_follow_binance() {
    let settings = read("", "").unwrap();
    assert_eq!(settings.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.data_dir, PathBuf::from("./data"));
    assert_eq!(settings.database, None);
    assert!(matches!(settings.feed.source, Source::Binance(_)));
    assert_eq!(settings.feed.liquidity_levels, 1_000);
    let instruments = settings.instruments.iter().map(|specification| {
        (
            specification.symbol.to_string(),
            specification.tick.step().to_string(),
            specification.lot.step().to_string(),
            specification.binance_symbol.clone().unwrap(),
        )
    });
    let expected = [
        ("BTC-USD", "0.01", "0.00001", "BTCUSDT"),
        ("ETH-USD", "0.01", "0.0001", "ETHUSDT"),
        ("SOL-USD", "0.01", "0.001", "SOLUSDT"),
    ];
    let expected = expected.map(|(a, b, c, d)| (a.into(), b.into(), c.into(), d.into()));
    assert_eq!(instruments.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_kept_is_kept_as_long_as_keys_are_at_least() {
    let day = Duration::from_secs(24 * 60 * 60);
    let kept = |file| read("", file).map(|settings| settings.retention);
    let retention = |orders, feed| Ok(Retention { orders, feed });
    assert_eq!(kept(""), retention(None, Some(day * 7)));
    assert_eq!(
        kept("database_retention_days = 1\nfeed_retention_days = 0"),
        retention(Some(day), None)
    );
    for file in [
        "database_retention_days = 0",
        "database_retention_days = 1\nidempotency_hours = 25",
        "feed_retention_days = -1",
        "feed_retention_days = 36501",
        "journal_bytes_max = 1000",
        "snapshots_kept = 0",
        "snapshot_interval_seconds = 'hourly'",
    ] {
        let said = kept(file).unwrap_err();
        assert!(
            said.contains("is not allowed; allowed is a whole number from"),
            "{said}"
        );
    }
}

#[test]
fn a_flag_beats_the_file() {
    let file = "listen = '127.0.0.1:1'\nqueue_length = 7\nfeed = 'off'";
    let settings = read("listen=127.0.0.1:2", file).unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.queue_length, 7);
    assert_eq!(settings.feed.source, Source::Off);
}

#[test]
fn what_is_wrong_is_named_with_its_value_and_what_is_allowed() {
    let rows = [
        (
            "listen=8080",
            "setting listen: \"8080\" is not allowed; allowed is an address and port",
        ),
        (
            "listen=0.0.0.0:8080",
            "setting listen: \"0.0.0.0:8080\" is not allowed; allowed is a loopback",
        ),
        (
            "listen=0.0.0.0:8080 auth=off",
            "with keys (--auth on) any address; with open_to_everyone (--open-to-everyone)",
        ),
        (
            "auth=yes",
            "setting auth: \"yes\" is not allowed; allowed is on or off",
        ),
        (
            "requests_per_second=1000001",
            "is not allowed; allowed is a whole number from 0 to 1000000",
        ),
        (
            "listen=0.0.0.0:80 open_to_everyone=maybe",
            "setting open_to_everyone: \"maybe\"",
        ),
        (
            "feed=kraken",
            "setting feed: \"kraken\" is not allowed; allowed is binance, simulated, file:PATH or off",
        ),
        ("feed=file:", "setting feed: \"file:\""),
        (
            "feed_speed=fast",
            "setting feed_speed: \"fast\" is not allowed; allowed is max, or a number",
        ),
        ("feed_speed=-1", "setting feed_speed: \"-1\""),
        (
            "feed_liquidity_levels=9999",
            "is not allowed; allowed is a whole number from 0 to 5000",
        ),
        (
            "database_url=mysql://x",
            "setting database_url: \"mysql://x\" is not allowed; allowed is sqlite://",
        ),
        (
            "queue_length=0",
            "is not allowed; allowed is a whole number from 1 to 1000000",
        ),
        (
            "partitions=65",
            "is not allowed; allowed is a whole number from 1 to 64",
        ),
        ("allowed_hosts=a,b/c", "setting allowed_hosts: \"b/c\""),
        (
            "allowed_origins=exchange.example",
            "setting allowed_origins: \"exchange.example\"",
        ),
        (
            "log_format=xml",
            "setting log_format: \"xml\" is not allowed; allowed is human or json",
        ),
        ("log_filter=a=b=c", "setting log_filter: \"a=b=c\""),
        (
            "binance_ws_url=http://x",
            "setting binance_ws_url: \"http://x\"",
        ),
    ];
    for (arguments, expected) in rows {
        let error = read(arguments, "").expect_err(arguments);
        assert!(error.contains(expected), "{arguments}: {error}");
    }
}

#[test]
fn a_limit_of_zero_is_none() {
    let limit = |arguments| read(arguments, "").unwrap().requests_per_second;
    assert_eq!(limit("").map(NonZeroU32::get), Some(5_000));
    assert_eq!(limit("requests_per_second=7").map(NonZeroU32::get), Some(7));
    assert_eq!(limit("requests_per_second=0"), None);
}

#[test]
fn an_address_that_others_reach_has_to_be_asked_for() {
    let settings = read("listen=0.0.0.0:8080 open_to_everyone=true", "").unwrap();
    assert_eq!(settings.listen.port(), 8080);
    let settings = read("listen=0.0.0.0:8080 auth=on", "").unwrap();
    assert_eq!(settings.auth, Auth::On);
    let settings = read("listen=[::1]:8080", "").unwrap();
    assert_eq!(settings.auth, Auth::Off);
    read("", "open_to_everyone = true\nlisten = '0.0.0.0:1'").unwrap();
    read("listen=0.0.0.0:8080 open_to_everyone=false", "").unwrap_err();
}

/// What an instrument's table adds to symbol, tick and lot, and what the error says.
const WRONG_INSTRUMENTS: &[(&str, &str)] = &[
    (
        "tick_size = 0.01",
        "\"0.01\" is not allowed; allowed is the same in quotes",
    ),
    ("tick_size = '0'", "instruments.tick_size of A-B: \"0\""),
    ("lot_size = '-1'", "instruments.lot_size of A-B: \"-1\""),
    (
        "lot_size = '1e-5'",
        "a decimal in quotes and without an exponent",
    ),
    ("lot_size = true", "a decimal in quotes"),
    ("min_quantity = '0.0001'", "a multiple of lot_size"),
    ("min_quantity = 0", "from 1 to 1000000000000 lots"),
    (
        "min_quantity = 2\nmax_quantity = 1",
        "at least min_quantity",
    ),
    (
        "min_notional = '0.000001'",
        "a multiple of tick_size times lot_size",
    ),
    ("price_band = '0.001'", "a percentage above 0"),
    ("price_band = 0", "a percentage above 0"),
    (
        "binance_symbol = 'btcusdt'",
        "upper case letters and digits",
    ),
    ("symbol = 'A B'", "instruments.symbol: \"A B\""),
    ("colour = 'red'", "unknown field `colour`"),
];

#[test]
fn an_instruments_table_is_checked() {
    for (change, expected) in WRONG_INSTRUMENTS {
        let names = change.lines().filter_map(|line| line.split_once(" = "));
        let names: Vec<_> = names.map(|(name, _)| name).collect();
        let rest = [
            ("symbol", "'A-B'"),
            ("tick_size", "'0.01'"),
            ("lot_size", "'0.001'"),
        ];
        let rest = rest.iter().filter(|(name, _)| !names.contains(name));
        let rest: Vec<_> = rest
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let file = format!("[[instruments]]\n{}\n{change}", rest.join("\n"));
        let error = read("", &file).expect_err(change);
        assert!(error.contains(expected), "{change}: {error}");
    }
    let twice = "[[instruments]]\nsymbol = 'A-B'\ntick_size = 1\nlot_size = 1\n".repeat(2);
    assert!(
        read("", &twice)
            .unwrap_err()
            .contains("for one instrument alone")
    );
    assert!(
        read("", "colour = 'red'")
            .unwrap_err()
            .contains("unknown field `colour`")
    );
}

#[test]
fn an_instruments_rules_are_counted_in_ticks_and_lots() {
    let file = "[[instruments]]\nsymbol = 'A-B'\ntick_size = '0.25'\nlot_size = '0.001'\n\
                min_quantity = '0.01'\nmax_quantity = 100\nmin_notional = 5\nprice_band = '2.5'";
    let settings = read("", file).unwrap();
    let specification = &settings.instruments[0];
    assert_eq!(specification.min_quantity.lots(), 10);
    assert_eq!(specification.max_quantity.lots(), 100_000);
    assert_eq!(
        specification.min_notional.unwrap().ticks_times_lots(),
        20_000
    );
    assert_eq!(specification.price_band.unwrap().basis_points(), 250);
    assert_eq!(specification.binance_symbol, None);
}

#[test]
fn a_number_below_zero_is_a_flags_value_and_no_flag() {
    let parsed = <CommandLine as clap::Parser>::try_parse_from([
        "shardbook",
        "serve",
        "--queue-length",
        "-1",
    ])
    .unwrap();
    let Subcommand::Serve(arguments) = parsed.command else {
        panic!("serve was asked for");
    };
    let file = File::default();
    let given = Given {
        flags: &arguments,
        file: &file,
    };
    let error = Settings::check(&given).unwrap_err().to_string();
    assert_eq!(
        error,
        "setting queue_length: \"-1\" is not allowed; allowed is a whole number from 1 to 1000000"
    );
}

#[test]
fn the_command_line_knows_every_flag() {
    use clap::CommandFactory;
    CommandLine::command().debug_assert();
    let parsed = <CommandLine as clap::Parser>::try_parse_from([
        "shardbook",
        "serve",
        "--listen",
        "127.0.0.1:9",
        "--open-to-everyone",
        "--feed",
        "off",
    ])
    .unwrap();
    let Subcommand::Serve(arguments) = parsed.command else {
        panic!("serve was asked for");
    };
    assert_eq!(arguments.listen.as_deref(), Some("127.0.0.1:9"));
    assert_eq!(arguments.open_to_everyone.as_deref(), Some("true"));
}

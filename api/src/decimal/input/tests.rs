use super::*;

fn price(json: &str) -> Result<u64, String> {
    let value = RawValue::from_string(json.to_owned()).expect("the row is JSON");
    let tick = Increment::new(Decimal::new(1, 2)).unwrap();
    whole_units(&value, Measure::Price, tick, 1_000_000_000_000).map_err(|error| error.to_string())
}

#[test]
fn a_decimal_is_read_exactly_from_its_text() {
    let rows = [
        ("70150.5", 7_015_050),
        ("\"70150.50\"", 7_015_050),
        ("69500.500", 6_950_050),
        (
            "\"69500.50000000000000000000000000000000000000\"",
            6_950_050,
        ),
        ("1e-2", 1),
        ("\"1e-02\"", 1),
        ("1E+2", 10_000),
        ("0.1e3", 10_000),
        ("1000e-5", 1),
        ("\"00070150.5\"", 7_015_050),
        ("0.07", 7),
        ("1.15", 115),
        ("4.35", 435),
        ("10000000000.00", 1_000_000_000_000),
        ("1e10", 1_000_000_000_000),
    ];
    for (json, ticks) in rows {
        assert_eq!(price(json), Ok(ticks), "{json}");
    }
}

#[test]
fn what_is_no_decimal_is_said_to_be_none() {
    let rows = [
        "true",
        "{}",
        "[1]",
        "\"\"",
        "\"abc\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"1,5\"",
        "\".5\"",
        "\"5.\"",
        "\"+5\"",
        "\"1e\"",
        "\"1e+\"",
        "\"0x10\"",
        "\" 1\"",
        "\"1 \"",
        "\"١\"",
        "\"--1\"",
        "\"1_000\"",
        "\"\\u0031\"",
    ];
    for json in rows {
        let message = price(json).expect_err(json);
        assert!(
            message.starts_with("must be a decimal"),
            "{json}: {message}"
        );
    }
}

#[test]
fn a_value_between_two_increments_names_its_neighbours() {
    let long_text = format!("70150.50{}1", "0".repeat(60_000));
    let nearest = "the nearest valid prices are 70150.50 and 70150.51";
    let rows = [
        ("70150.505", nearest),
        ("7.0150505e4", nearest),
        (long_text.as_str(), nearest),
        ("0.001", "the nearest valid value is 0.01"),
        ("1e-400", "the nearest valid value is 0.01"),
        ("1e-99999999999999999999", "the nearest valid value is 0.01"),
    ];
    for (json, expected) in rows {
        let message = price(json).expect_err(json);
        assert!(
            message.contains("is not a multiple of the tick size 0.01"),
            "{message}"
        );
        assert!(message.contains(expected), "{json}: {message}");
        assert!(message.len() < 200, "{message}");
    }
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let long_text = "9".repeat(60_000);
    let rows = [
        "0",
        "-0",
        "0e99999999999999999999",
        "-1",
        "-0.01",
        "-1e-400",
        "10000000000.01",
        "1e11",
        "1e400",
        "1e99999999999999999999",
        "79228162514264337593543950336",
        long_text.as_str(),
        "99999999999999999999999999999.001",
    ];
    for json in rows {
        let message = price(json).expect_err(json);
        let expected = "out of range: prices are from 0.01 to 10000000000.00";
        assert!(message.contains(expected), "{json}: {message}");
        assert!(message.len() < 200, "{message}");
    }
}

use super::*;

/// Outcomes of so many days, 25 a day: the further the levels are away, the fewer touch one, in the
/// shares that `touch` says of x.
fn examples(days: i64, touch: impl Fn(f64) -> f64) -> Vec<Example> {
    let mut examples = Vec::new();
    for day in 0..days {
        for number in 0..25 {
            let x = f64::from(number) / 10.0 - 1.0;
            // Evenly spread over the days, not drawn.
            let luck = (f64::from(number) * 0.618 + day as f64 * 0.382).fract();
            let first_touch = match luck {
                luck if luck >= touch(x) => FirstTouch::None,
                luck if luck < touch(x) / 2.0 => FirstTouch::Target,
                _ => FirstTouch::Stop,
            };
            examples.push(Example {
                day,
                x,
                first_touch,
            });
        }
    }
    examples
}

/// What was forecast by a model fitted on the outcomes themselves.
fn tested(examples: &[Example], forecast: impl Fn(&Model, f64) -> Forecast) -> Vec<Tested> {
    let model = Model::fit(examples).unwrap();
    let made = examples.iter().map(|example| Tested {
        day: example.day,
        forecast: forecast(&model, example.x),
        base: model.base(),
        first_touch: example.first_touch,
    });
    made.collect()
}

fn rising(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn the_feature_is_the_range_in_stops_over_the_root_of_the_lifetime() {
    const DAY: f64 = 86_400_000.0;
    assert_eq!(feature(1.5, 1.5, DAY), Some(0.0));
    let quarter = feature(3.0, 1.5, DAY / 4.0).unwrap();
    assert!(
        quarter.abs() < 1e-12,
        "twice the range in a quarter of the time"
    );
    for (range, stop, lifetime) in [
        (0.0, 1.5, DAY),
        (1.0, 0.0, DAY),
        (1.0, 1.5, 0.0),
        (f64::NAN, 1.0, DAY),
    ] {
        assert_eq!(feature(range, stop, lifetime), None);
    }
}

#[test]
fn a_model_finds_the_line_that_outcomes_follow() {
    let model = Model::fit(&examples(100, rising)).unwrap();
    assert!((model.slope - 1.0).abs() < 0.1, "{model:?}");
    assert!(model.intercept.abs() < 0.1, "{model:?}");
    for x in [-1.0, 0.0, 1.4] {
        let forecast = model.forecast(x);
        let touch = forecast.target + forecast.stop;
        assert!((touch - rising(x)).abs() < 0.03, "{x}: {forecast:?}");
        assert!((forecast.target / touch - 0.5).abs() < 0.02);
        assert!((forecast.neither() - (1.0 - touch)).abs() < 1e-12);
    }
}

#[test]
fn few_outcomes_or_days_and_outcomes_that_are_all_alike_make_no_model() {
    let all = examples(20, rising);
    assert!(Model::fit(&all).is_some());
    assert!(Model::fit(&all[..299]).is_none());
    assert!(Model::fit(&all[..13 * 25]).is_none(), "13 days");
    assert!(Model::fit(&examples(20, |_| 0.0)).is_none());
    assert!(Model::fit(&examples(20, |_| 1.0)).is_none());
    let same: Vec<Example> = all
        .iter()
        .map(|example| Example { x: 1.0, ..*example })
        .collect();
    assert!(Model::fit(&same).is_none());
}

#[test]
fn forecasts_are_shown_while_they_are_skilled_and_come_true_as_often_as_they_say() {
    let all = examples(60, rising);
    let test = Test::of(&tested(&all, Model::forecast));
    assert_eq!(test.objection(), None, "{test:?}");
    assert_eq!((test.forecasts, test.days), (1500, 60));
    let few = Test::of(&tested(&all, Model::forecast)[..27 * 25]);
    assert_eq!(
        few.objection().unwrap().to_string(),
        "675 forecasts of 27 days have an outcome, fewer than 500 of 28 days"
    );
    let same_for_all = Test::of(&tested(&all, |model, _| model.base()));
    let objection = same_for_all.objection().unwrap().to_string();
    assert!(
        objection.starts_with("the skill may be 0.00 %"),
        "{objection}"
    );
    // Right in order, and always a bit too high.
    let too_sure = Test::of(&tested(&all, |model, x| Forecast {
        target: model.forecast(x).target + 0.06,
        ..model.forecast(x)
    }));
    let objection = too_sure.objection().unwrap().to_string();
    assert!(
        objection.starts_with("forecasts and frequencies differ by"),
        "{too_sure:?}"
    );
    assert!(Test::of(&[]).objection().is_some());
}

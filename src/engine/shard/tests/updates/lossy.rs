//! Messages that get lost, each way: the update ends well all the same.

use super::*;

fn lossy(seed: u64, loss: u8, manner: Manner, target: UpdateTarget) -> Lab {
    let mut lab = Lab::new(Device::new(manner));
    lab.dice = fastrand::Rng::with_seed(seed);
    lab.assign(target);
    lab.register();
    lab.loss = loss;
    lab.wait_until(
        |lab| matches!(lab.states.last(), Some(last) if last == "UPDATED" || last == "FAILED"),
    );
    lab
}

#[test]
fn a_push_survives_the_loss_of_messages() {
    for seed in 0..12 {
        for kind in UpdateKind::ALL {
            let mut lab = lossy(seed, 20, Manner::default(), target(kind));
            let reason = lab.reason();
            assert_eq!(
                lab.update().state,
                "UPDATED",
                "{kind:?} seed {seed}: {reason}"
            );
            let path = ["/5/0/2", "/9/0/4"][kind as usize];
            let orders = lab.device.executed.iter().filter(|(to, _)| to == path);
            assert_eq!(orders.count(), 1, "{kind:?} seed {seed}");
        }
    }
}

#[test]
fn a_pull_survives_the_loss_of_messages() {
    for seed in 0..12 {
        let target = UpdateTarget {
            strategy: Strategy::Url,
            base_url: Some("coap://h:5685".into()),
            ..firmware()
        };
        let mut lab = lossy(seed, 15, Manner::default(), target);
        assert_eq!(
            lab.update().state,
            "UPDATED",
            "seed {seed}: {}",
            lab.reason()
        );
    }
}

#[test]
fn an_update_goes_on_by_itself_after_a_question_of_the_profile_was_lost() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.device.manner.answers = false;
    lab.register();
    lab.assign(firmware());
    lab.wait(100);
    lab.device.manner.answers = true;
    lab.wait(100);
    assert_eq!(lab.update().state, "UPDATED", "{}", lab.reason());
}

#[test]
fn a_device_that_restarted_is_asked_again_after_a_question_of_the_profile_was_lost() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run_until(firmware(), "UPDATING");
    lab.device.values.insert("/3/0/3", "2.0".to_owned());
    let bytes = lab.device.reboot(&[]);
    lab.device.manner.answers = false;
    lab.deliver(&bytes);
    lab.wait(100);
    lab.device.manner.answers = true;
    lab.wait(100);
    assert_eq!(lab.update().state, "UPDATED", "{}", lab.reason());
}

#[test]
fn an_update_ends_though_the_device_never_speaks_by_itself_on_a_very_bad_network() {
    for seed in 0..20 {
        let mut lab = Lab::new(Device::new(Manner {
            notifies: false,
            answers: false,
            ..Manner::default()
        }));
        lab.dice = fastrand::Rng::with_seed(seed);
        lab.register();
        lab.device.manner.answers = true;
        lab.loss = 45;
        lab.assign(firmware());
        lab.wait(600);
        lab.loss = 10;
        lab.wait_until(|lab| lab.states.last().is_some_and(|last| last == "UPDATED"));
    }
}

use super::*;

const TIMES: RadioTimes = RadioTimes {
    inactivity: 1.0,
    active_time: 6.0,
};
const SECOND: DeviceTime = 1_000_000;
const DAY: f64 = 86_400.0;

fn after(packets: &[(f64, Direction, usize)]) -> (Activity, Traffic) {
    let mut radio = Radio::default();
    for &(at, direction, length) in packets {
        radio.packet((at * 1e6) as DeviceTime, direction, length, &TIMES);
    }
    radio.finish(&TIMES)
}

#[test]
fn packets_close_together_are_one_wake_up_and_one_connection() {
    let (activity, traffic) = after(&[
        (10.0, Direction::Up, 40),
        (10.4, Direction::Down, 4),
        (11.0, Direction::Up, 40),
    ]);
    assert_eq!((activity.wake_ups, activity.connections), (1, 1));
    assert!((activity.connected_s - 2.0).abs() < 1e-9, "{activity:?}");
    assert!((activity.listening_s - 6.0).abs() < 1e-9);
    assert_eq!((traffic.packets_up, traffic.packets_down), (2, 1));
    assert_eq!((traffic.bytes_up, traffic.bytes_down), (2 * 68, 32));
}

#[test]
fn a_packet_in_the_window_needs_a_connection_but_wakes_nobody() {
    let (activity, _) = after(&[(0.0, Direction::Up, 40), (3.0, Direction::Down, 40)]);
    assert_eq!((activity.wake_ups, activity.connections), (1, 2));
    assert!((activity.connected_s - 2.0).abs() < 1e-9);
    assert!((activity.listening_s - 8.0).abs() < 1e-9, "2 s and 6 s");
}

#[test]
fn a_packet_after_the_window_wakes_the_radio() {
    let (activity, _) = after(&[(0.0, Direction::Up, 40), (7.001, Direction::Up, 40)]);
    assert_eq!((activity.wake_ups, activity.connections), (2, 2));
    assert!((activity.listening_s - 12.0).abs() < 1e-9);
}

#[test]
fn a_radio_without_packets_sleeps() {
    let (activity, traffic) = Radio::default().finish(&TIMES);
    assert_eq!(activity, Activity::default());
    let energy = RadioModel::LTE_M.energy(&activity, &traffic, DAY, None);
    assert_eq!(energy.activity_mc, 0.0);
    assert!((energy.floor_mc - 0.002_7 * DAY).abs() < 1e-6);
}

#[test]
fn a_longer_inactivity_timer_costs_its_time_at_the_receiving_current() {
    let patient = RadioTimes {
        inactivity: 11.0,
        ..TIMES
    };
    let charge = |times: &RadioTimes| {
        let mut radio = Radio::default();
        radio.packet(SECOND, Direction::Up, 40, times);
        let (activity, traffic) = radio.finish(times);
        RadioModel::NB_IOT
            .energy(&activity, &traffic, DAY, None)
            .activity_mc
    };
    assert!((charge(&patient) - charge(&TIMES) - 10.0 * 35.0).abs() < 1e-9);
}

/// thingsboard/thingsboard#10798: seven values a day in seven connections take about 900 mC, in one about 130 mC.
#[test]
fn the_reported_charge_of_drifting_observations_lies_between_the_two_technologies() {
    let hour = |n: u8| f64::from(n) * 3_600.0;
    let notification = |at| (at, Direction::Up, 40);
    let apart: Vec<_> = (0..7).map(hour).map(notification).collect();
    let charge = |model: RadioModel, packets: &[(f64, Direction, usize)]| {
        let (activity, traffic) = after(packets);
        model.energy(&activity, &traffic, DAY, None).activity_mc
    };
    let together = [(0.0, Direction::Up, 160)];
    let of = |packets: &[_]| {
        (
            charge(RadioModel::LTE_M, packets),
            charge(RadioModel::NB_IOT, packets),
        )
    };
    let ((least, most), (least_apart, most_apart)) = (of(&together), of(&apart));
    assert!(least < 130.0 && 130.0 < most, "{least:.0} to {most:.0} mC");
    assert!(
        least_apart < 900.0 && 900.0 < most_apart,
        "{least_apart:.0} to {most_apart:.0} mC"
    );
    for ratio in [least_apart / least, most_apart / most] {
        assert!((6.0..7.5).contains(&ratio), "{ratio:.1}, reported 6.9");
    }
}

#[test]
fn who_is_polled_has_to_listen() {
    let idle = (Activity::default(), Traffic::default());
    let floor = |period| {
        RadioModel::NB_IOT
            .energy(&idle.0, &idle.1, 1_000.0, period)
            .floor_mc
    };
    assert!((floor(None) - 2.7).abs() < 1e-9);
    assert!((floor(Some(300.0)) - 37.0).abs() < 1e-9, "eDRX");
    assert!((floor(Some(60.0)) - 1_300.0).abs() < 1e-9, "DRX");
}

#[test]
fn sending_takes_longer_on_the_slower_technology() {
    let traffic = Traffic {
        packets_up: 1,
        bytes_up: 169,
        ..Traffic::default()
    };
    let on = |model: RadioModel| {
        model
            .energy(&Activity::default(), &traffic, DAY, None)
            .radio_on_s
    };
    assert!((on(RadioModel::NB_IOT) - 0.08).abs() < 1e-9);
    assert!(on(RadioModel::LTE_M) < 0.01);
}

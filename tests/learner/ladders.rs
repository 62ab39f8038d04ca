//! What a learner sees of the packets between two nodes.

use super::{call, folder};

#[test]
fn what_one_of_a_pair_says_to_a_third_host_is_not_missing_at_the_other() {
    let folder = folder();
    let shown = |arguments: &[&str]| {
        let (code, out, err) = call(folder.path(), &[&["run", "60", "--mode", "sim"], arguments].concat());
        assert_eq!(code, Some(0), "{out}{err}");
        let first = out.split("as seen at client\n").nth(1).expect("a ladder of the client");
        first.split("as seen at").next().expect("there is always a first").to_owned()
    };
    // The resolver asks the authority eight times, and the client hears nothing of it.
    let whole = shown(&[]);
    assert!(!whole.contains("not seen at client"), "{whole}");
    assert!(whole.contains("31  "), "{whole}");
}

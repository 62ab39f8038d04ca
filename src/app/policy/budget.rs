//! How many retries there may be: a share of the first tries.
//!
//! One caller that tries three times means well; a thousand that do make three times the load of a service that is already
//! in trouble. So first tries earn credit and each retry spends it, whoever makes it.

/// What a retry costs: a first try earns its percentage of it.
const PRICE: u64 = 100;
/// For how many retries credit is kept at most: a long time without trouble must not pay for a storm.
const MOST_KEPT: u64 = 10;

/// Credit for retries, shared by all requests of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    percent: u32,
    credit: u64,
}

impl Budget {
    /// One that allows so many retries for a hundred first tries.
    pub(super) fn new(percent: u32) -> Budget {
        Budget { percent, credit: 0 }
    }

    /// A request is tried for the first time.
    pub(super) fn earn(&mut self) {
        self.credit = (self.credit + u64::from(self.percent)).min(MOST_KEPT * PRICE);
    }

    /// Whether one more retry is paid for; if so it is spent.
    pub(super) fn spend(&mut self) -> bool {
        let left = self.credit.checked_sub(PRICE);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_requests_may_be_retried() {
        let mut budget = Budget::new(10);
        let retries = (0..1000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(retries.count(), 100);
    }

    #[test]
    fn nothing_is_lent() {
        let mut budget = Budget::new(10);
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend(), "nine tenths are not enough");
        budget.earn();
        assert!(budget.spend() && !budget.spend());
    }

    #[test]
    fn quiet_times_pay_for_ten_retries_and_no_more() {
        let mut budget = Budget::new(50);
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!((0..1000).filter(|_| budget.spend()).count(), 10);
    }
}

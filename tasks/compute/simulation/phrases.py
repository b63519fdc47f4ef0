"""What consultants write and customers say about each reason: natural wording, not the catalogue's keywords.

Texts are data of the simulated exports, so they are not message catalogues. Each reason has Chinese sentences and one
English one (some dealers' staff write English); variation comes from openings and endings that carry no reason.
"""

from __future__ import annotations

OPENINGS = ("", "", "客户说", "客户反馈:", "电话里讲")
ENDINGS = ("", "", "。", ",已做记录", ",多次沟通未果")

SENTENCES: dict[str, tuple[tuple[str, ...], str]] = {
    "product_model_outdated": (
        ("外观看着太老气,内饰也过时了", "这款好几年没换代,款式老", "等新款上市,现款没新意"),
        "thinks the interior looks outdated",
    ),
    "product_simple_configuration": (
        ("同级车都有座椅通风,咱们配置少", "没有辅助驾驶,配置太低", "车机卡,功能少"),
        "too basic, no driver assistance for the money",
    ),
    "product_power": (
        ("试下来觉得动力不足,上坡没劲", "嫌提速慢,油耗还高", "跑高速超车没劲,动力弱"),
        "engine felt underpowered on the hill",
    ),
    "product_noise": (
        ("试驾时风噪胎噪明显", "高速上隔音不行,太吵", "怠速抖动,车里噪音大"),
        "cabin too noisy on the test drive",
    ),
    "product_load_capacity": (
        ("后备箱小,拉货装不下", "要带设备跑工地,承载不够"),
        "boot too small for his tools, load capacity not enough",
    ),
    "product_quality_worry": (
        ("网上看到车主投诉多,担心质量", "听说小毛病多,怕后面老跑维修", "担心保值率,怕故障多"),
        "worried about reliability after reading reviews",
    ),
    "product_space_comfort": (
        ("后排挤,三个人坐不下", "腿部空间不够,坐着不舒服", "底盘硬,老人坐着颠簸"),
        "rear seats cramped for the family",
    ),
    "product_brand_not_accepted": (
        ("家里只要合资,不认这个牌子", "觉得品牌知名度不够", "不认可品牌,嫌档次低"),
        "does not like the brand",
    ),
    "price_positioned_high": (
        ("指导价比同级贵两万", "定价偏高,同样的钱能买大一级的", "觉得性价比不高,比竞品贵"),
        "list price is higher than rivals in the class",
    ),
    "price_discount_too_small": (
        ("优惠力度太小,礼包也没有", "店里不肯让利,优惠不够", "就差三千优惠没到位"),
        "discount too small, wanted five thousand more",
    ),
    "price_dealer_markup": (
        ("提车要加价,还强制装潢", "上牌费服务费高,变相加价", "捆绑保险和装潢,不接受"),
        "handling fee and forced accessories above list",
    ),
    "price_sister_bidding": (
        ("隔壁城市的骋远店便宜四千", "同品牌别的店报得更低", "拿着其他4S店的报价来压价,没跟"),
        "another dealer of the brand quoted less",
    ),
    "price_inconsistent_promotion": (
        ("官网价和店里报价不一样", "直播间说有补贴,到店说没有,口径不一致", "两个顾问报价不一致"),
        "promised another price online, not as advertised",
    ),
    "price_finance_terms": (
        ("贷款利率高,月供压力大", "首付高,没有免息", "征信有问题,贷款没批下来"),
        "interest rate too high, loan not attractive",
    ),
    "price_trade_in_price": (
        ("旧车评估价低,差了一万", "置换补贴少,旧车估价低", "收车价不满意"),
        "old car valuation too low",
    ),
    "process_follow_up": (
        ("留了电话一直没人联系", "等了好几天才打电话来,跟进太慢", "说给报价后来没下文"),
        "nobody called back for days",
    ),
    "process_product_knowledge": (
        ("顾问讲不清三电质保,不专业", "问配置区别一问三不知", "新手顾问,讲解不清楚"),
        "consultant could not explain the trim levels",
    ),
    "process_no_trust": (
        ("觉得顾问忽悠,信不过", "答应送的东西不认了,说话不算数", "感觉套路多,不靠谱"),
        "did not trust the consultant",
    ),
    "process_skills_before_process": (
        ("一上来就逼单交定金", "车还没看就催定金", "上来就谈价,没耐心介绍车"),
        "pushed to sign before seeing the car",
    ),
    "process_needs_not_understood": (
        ("预算十万给推荐十八万的车", "没问用途就推荐,车型不对", "要七座的一直介绍五座,推荐的车不合适"),
        "wrong model shown, did not ask what he needs",
    ),
    "process_no_test_drive": (
        ("到店两次都没安排试驾", "试驾车不在,没开上", "约不上试驾,去别家试了"),
        "no test drive, demo car was away",
    ),
    "process_reception": (
        ("进店半天没人接待", "接待态度冷淡,爱理不理", "周末人多等太久,没人理"),
        "nobody received them in the showroom",
    ),
    "supply_no_stock": (
        ("想要的版本没现车", "店里缺货,要等调车", "没有现车,客户急用"),
        "not in stock, customer needed a car this week",
    ),
    "supply_delivery_too_long": (
        ("交期要两个月,等不及", "排产一直没消息,提车慢", "等车时间太长,去别家提了"),
        "delivery time too long",
    ),
    "supply_colour_configuration": (
        ("想要的白色没有,颜色不全", "高配没货,只有中配", "内饰颜色没有红色的"),
        "wanted white, colour not available",
    ),
    "customer_funds_not_ready": (
        ("工程款没回来,资金紧张", "首付还没凑够,手头紧", "刚买房,钱不够"),
        "waiting for payment, no money at the moment",
    ),
    "customer_plan_cancelled": (
        ("没摇到号,不买了", "工作变动,取消购车计划", "家里又不需要了"),
        "not buying any more",
    ),
    "customer_plan_postponed": (
        ("说年后再看", "不着急,过段时间再说", "今年先不买,明年再考虑"),
        "postponed to next year",
    ),
    "customer_habit_or_people": (
        ("家人不同意,老婆喜欢另一款", "同行都开别的牌子,朋友推荐买那个", "开惯了原来的牌子"),
        "family prefers another make",
    ),
    "customer_unreasonable_demand": (
        ("要求按出厂价再降三万,没法谈", "要求送五年保养加全险"),
        "demands far below cost",
    ),
    "customer_used_car_instead": (
        ("买了台二手车过渡", "去二手车市场买了准新车"),
        "bought a used car instead",
    ),
    "record_misjudged": (
        ("客户没说不买,先关闭", "联系一次没结果,先战败处理"),
        "closed too early by mistake",
    ),
    "record_out_of_reach": (
        ("电话多次无人接听", "打了几次都关机", "号码拒接,微信不回"),
        "phone never answered",
    ),
    "record_duplicate": (("与另一条线索重复", "重复留资"), "duplicate record"),
    "record_invalid_contact": (("空号", "号码是别人的,打错了"), "wrong number"),
    "record_test_or_fake": (("测试数据", "内部测试线索"), "test lead"),
    "price_too_high": (("价格没谈拢", "嫌贵,价格谈不下来", "客户觉得价格高"), "too expensive"),
}

COPIED = "客户暂无购车意向,后续继续跟进"


def variants(code: str) -> tuple[str, ...]:
    """Every wording of ``code``: Chinese sentences with openings and endings, and about one in twenty English."""
    chinese, english = SENTENCES[code]
    spoken = [opening + sentence + ending for sentence in chinese for opening in OPENINGS for ending in ENDINGS]
    return (*spoken, *[english] * max(1, len(spoken) // 20))
